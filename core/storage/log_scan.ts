import { decodeGroupHead, GROUP_HEAD_BYTES } from "./log_group.ts";
import { type Buffer, bufferOf, decodeRecord, isBodyIntact, recordEnd } from "./log_record.ts";
import type { LogRecord } from "./record.ts";

/** A record that was read back. */
export interface ScannedRecord {
  readonly record: LogRecord;
  /** In the node's log. */
  readonly position: number;
}

/** Bytes that are no part of any valid frame, or a record whose body is broken. */
export interface Broken {
  readonly file: string;
  /** Byte in the file. */
  readonly offset: number;
  /** In the node's log: from `position` up to `end`. */
  readonly position: number;
  readonly end: number;
  /** The record whose body is broken, all but key and value. */
  readonly record?: LogRecord;
  /** How many records were there; Infinity when it cannot be told. */
  lost: number;
}

export interface ScannedSegment {
  /** Made as they are asked for: all of a log at once would be more than what it is about. */
  records(): Generator<ScannedRecord>;
  readonly broken: Broken[];
  /** Where the segment begins and ends in the node's log. */
  readonly start: number;
  /** Without the zeros behind the last group. */
  readonly end: number;
  /** The highest mark found: the log was known to be synced up to here; 0 when there is none. */
  readonly synced: number;
}

/**
 * Reads a segment. Frames are found again behind broken bytes, as each head is valid only at its own position.
 *
 * @param expectedStart position of the segment's first byte, used when no group header in it tells
 */
export function scanSegment(
  bytes: Uint8Array,
  file: string,
  expectedStart: number,
  salt: number,
): ScannedSegment {
  const buffer = bufferOf(bytes);
  const start = startOf(buffer, salt) ?? expectedStart;
  const scan = new SegmentScan(buffer, file, start, salt);
  scan.run();
  return {
    records: () => scan.records(),
    broken: scan.broken,
    start,
    end: start + scan.end,
    synced: scan.synced,
  };
}

/** Position of the segment's first byte according to its first valid group header. */
function startOf(buffer: Buffer, salt: number): number | undefined {
  for (let at = 0; at + GROUP_HEAD_BYTES <= buffer.bytes.length; at++) {
    const head = decodeGroupHead(buffer, at, salt);
    if (head !== undefined && head.position >= at) return head.position - at;
  }
  return undefined;
}

class SegmentScan {
  /** Where the intact records are. */
  readonly #intact: number[] = [];
  readonly broken: Broken[] = [];
  synced = 0;
  /** Where the log ends in this segment; what follows is zeros, by which the file was made longer ahead of the log. */
  end = 0;
  /** Records of the present group still to come; undefined when its header was lost. */
  #left: number | undefined = 0;
  /** The first broken range of the present group, which answers for the records that the group lacks. */
  #groupBroken: Broken | undefined;

  constructor(
    readonly buffer: Buffer,
    readonly file: string,
    readonly start: number,
    readonly salt: number,
  ) {}

  run(): void {
    let at = 0;
    while (at < this.buffer.bytes.length && !this.#onlyZeros(at)) {
      const end = this.#frame(at);
      if (end !== undefined) at = end;
      else at = this.#skip(at);
    }
    this.end = at;
    this.#endGroup();
  }

  *records(): Generator<ScannedRecord> {
    for (const at of this.#intact) {
      yield { record: decodeRecord(this.buffer, at), position: this.start + at };
    }
  }

  /** Whether the log ends at `at`: within a group it cannot. */
  #onlyZeros(at: number): boolean {
    if (this.#left !== undefined && this.#left > 0) return false;
    const { bytes } = this.buffer;
    while (at < bytes.length && bytes[at] === 0) at++;
    return at === bytes.length;
  }

  /** Takes the valid frame at `at`; returns where it ends. */
  #frame(at: number): number | undefined {
    const head = decodeGroupHead(this.buffer, at, this.salt);
    if (head !== undefined && head.position === this.start + at) {
      this.#endGroup();
      this.#left = head.count;
      this.synced = Math.max(this.synced, head.synced);
      return at + GROUP_HEAD_BYTES;
    }
    const end = recordEnd(this.buffer, at, this.salt, this.start + at);
    if (end === undefined) return undefined;
    if (this.#left !== undefined) this.#left--;
    if (isBodyIntact(this.buffer, at, end)) this.#intact.push(at);
    else this.#brokenRecord(at, Math.min(end, this.buffer.bytes.length));
    return end;
  }

  #brokenRecord(at: number, end: number): void {
    const { file, start } = this;
    const record = decodeRecord(this.buffer, at, false);
    this.broken.push({ file, offset: at, position: start + at, end: start + end, record, lost: 0 });
  }

  /** Goes to the next valid frame behind the broken bytes at `from`, or to the end. */
  #skip(from: number): number {
    const size = this.buffer.bytes.length;
    let at = from + 1;
    while (at < size && !this.#validAt(at)) at++;
    const onlyHeader = this.#left === 0 && at - from === GROUP_HEAD_BYTES && at < size;
    const lost = this.#left === undefined || this.#left === 0 ? (onlyHeader ? 0 : Infinity) : 0;
    const broken = { file: this.file, offset: from, position: this.start + from, end: this.start + at, lost };
    this.broken.push(broken);
    if (this.#left === 0) this.#left = undefined;
    else this.#groupBroken ??= broken;
    return at;
  }

  #validAt(at: number): boolean {
    const head = decodeGroupHead(this.buffer, at, this.salt);
    if (head !== undefined) return head.position === this.start + at;
    return recordEnd(this.buffer, at, this.salt, this.start + at) !== undefined;
  }

  #endGroup(): void {
    if (this.#left !== undefined && this.#left > 0) {
      const { file, start } = this;
      const size = this.buffer.bytes.length;
      // Without a broken range the segment ends in the middle of the group, at a record's border.
      if (this.#groupBroken === undefined) {
        const position = start + size;
        this.broken.push({ file, offset: size, position, end: position + 1, lost: this.#left });
      } else this.#groupBroken.lost += this.#left;
    }
    this.#groupBroken = undefined;
  }
}
