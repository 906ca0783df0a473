import { readBinary } from "./binary.ts";
import { BLOCK_BYTES } from "./block_cache.ts";
import type { DataFile } from "./data_file.ts";
import {
  DATA_HEAD_BYTES,
  dataChecksum,
  type DataHead,
  dataRecordBytes,
  decodeDataHead,
} from "./data_record.ts";
import { type Buffer, bufferOf } from "./log_record.ts";

const WINDOW_BYTES = 1 << 20;
/** By the format. */
const KEY_BYTES_MAX = 0xffff;
/** Longer values are not verified while scanning, only when they are read: starting must not read all data. */
const VERIFIED_VALUE_BYTES_MAX = 64 << 10;

/** A record of a data file. */
export interface ScannedData extends DataHead {
  readonly key: string;
  readonly offset: number;
  /** False: the value is broken. True for values too long to be verified here. */
  readonly intact: boolean;
  /** The record's bytes; empty for values too long. Valid until the next one is read. */
  readonly bytes: Uint8Array;
}

/** Bytes that are no part of any valid record. */
export interface BrokenData {
  readonly offset: number;
  readonly end: number;
  /** Some of them could not be read from the disk. */
  readonly unreadable: boolean;
}

/** What is wrong with them, for people. */
export function whyBroken({ offset, end, unreadable }: BrokenData): string {
  return `${end - offset} bytes ${unreadable ? "cannot be read from the disk" : "are no valid record"}`;
}

/**
 * Reads a data file's records in order, `file.size` bytes of it. Records are found again behind broken bytes, as which
 * blocks count that the disk cannot read.
 */
export class DataScan {
  #memory: Uint8Array;
  /** The part of the file in memory, and the offset at which it begins. */
  #window: Buffer = bufferOf(new Uint8Array(0));
  #start = 0;
  /** Next byte to read. */
  offset = 0;
  readonly broken: BrokenData[] = [];
  /** Numbers of the blocks that the disk could not read. */
  readonly #unreadable = new Set<number>();

  /** @param memory to read into, of the caller's choice; nobody else may use it meanwhile */
  constructor(readonly file: DataFile, memory = new Uint8Array(WINDOW_BYTES)) {
    this.#memory = memory;
  }

  /** The next record that begins before `until`; undefined when there is none. */
  next(until = Infinity): ScannedData | undefined {
    while (this.offset < Math.min(this.file.size, until)) {
      const head = this.#headAt(this.offset);
      if (head !== undefined) return this.#take(head);
      this.#skip(until);
    }
    return undefined;
  }

  #take(head: DataHead): ScannedData {
    const offset = this.offset;
    const length = dataRecordBytes(head.keyBytes, head.valueBytes);
    const whole = head.valueBytes <= VERIFIED_VALUE_BYTES_MAX;
    this.#need(offset, whole ? length : DATA_HEAD_BYTES + head.keyBytes);
    const at = offset - this.#start;
    const key = readBinary(this.#window.bytes, at + DATA_HEAD_BYTES, at + DATA_HEAD_BYTES + head.keyBytes);
    const bytes = whole ? this.#window.bytes.subarray(at, at + length) : this.#window.bytes.subarray(0, 0);
    const complete = offset + length <= this.file.storedBytes && (!whole || bytes.length === length);
    const intact = complete && (!whole || dataChecksum(bytes) === head.checksum);
    this.offset = Math.min(offset + length, this.file.size);
    return { ...head, key, offset, intact, bytes };
  }

  #skip(until: number): void {
    const from = this.offset;
    const end = Math.min(this.file.size, until);
    do this.offset++; while (this.offset < end && this.#headAt(this.offset) === undefined);
    const unreadable = [...this.#unreadable].some((number) =>
      number * BLOCK_BYTES < this.offset && (number + 1) * BLOCK_BYTES > from
    );
    this.broken.push({ offset: from, end: this.offset, unreadable });
  }

  #headAt(offset: number): DataHead | undefined {
    this.#need(offset, DATA_HEAD_BYTES + KEY_BYTES_MAX);
    return decodeDataHead(this.#window, offset - this.#start, this.file.seed, offset);
  }

  /** Has `length` bytes from `offset` on in memory, or those up to the end of the file. */
  #need(offset: number, length: number): void {
    const end = Math.min(offset + length, this.file.size);
    if (offset >= this.#start && end <= this.#start + this.#window.bytes.length) return;
    if (this.#memory.length < length) this.#memory = new Uint8Array(length);
    this.#window = bufferOf(this.#memory.subarray(0, this.file.size - offset));
    for (const number of this.file.fillReadable(this.#window.bytes, offset)) this.#unreadable.add(number);
    this.#start = offset;
  }
}
