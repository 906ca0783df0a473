import { writeBinary } from "./binary.ts";
import { crc32, crc32Within, placeSeed } from "./crc.ts";
import { type Buffer, bufferOf } from "./log_record.ts";

/*
 * A record of a data file, little-endian:
 *
 *    0 u32 headCrc over 4..28 and the key, seeded with file and offset: valid at its own place alone
 *    4 u32 checksum over 8..end: the same wherever the record lies, so that copies can be compared
 *    8 u8  kind: 1 put, 2 delete, 3 clear
 *   10 u16 slot
 *   12 u16 key length
 *   16 u32 value length
 *   20 f64 version
 *   28 key, value
 */
export const DATA_HEAD_BYTES = 28;

export const PUT = 1;
/** Hides puts of the key that come before it, here and in the older generation of the file. */
export const TOMBSTONE = 2;
/** Hides all of the slot that comes before it, here and in the older generation of the file. */
export const CLEAR = 3;

export interface DataHead {
  readonly kind: number;
  readonly checksum: number;
  readonly slot: number;
  readonly keyBytes: number;
  readonly valueBytes: number;
  readonly version: number;
}

/** Length of a record with a key and a value of so many bytes. */
export function dataRecordBytes(keyBytes: number, valueBytes: number): number {
  return DATA_HEAD_BYTES + keyBytes + valueBytes;
}

/** Encodes one record at a time into memory that the next one overwrites. */
export class DataRecordEncoder {
  #buffer: Buffer = bufferOf(new Uint8Array(8 << 10));
  /** Checksum of the record encoded last. */
  checksum = 0;

  /** @param seed of the file, see {@link seedOf} */
  encode(
    kind: number,
    slot: number,
    version: number,
    key: string,
    value: Uint8Array,
    seed: number,
    offset: number,
  ) {
    const length = dataRecordBytes(key.length, value.length);
    if (this.#buffer.bytes.length < length) this.#buffer = bufferOf(new Uint8Array(length));
    const { bytes, view } = this.#buffer;
    const keyEnd = DATA_HEAD_BYTES + key.length;
    view.setUint8(8, kind);
    view.setUint8(9, 0);
    view.setUint16(10, slot, true);
    view.setUint16(12, key.length, true);
    view.setUint16(14, 0, true);
    view.setUint32(16, value.length, true);
    view.setFloat64(20, version, true);
    writeBinary(key, bytes, DATA_HEAD_BYTES);
    bytes.set(value, keyEnd);
    this.checksum = crc32Within(bytes, 8, length);
    view.setUint32(4, this.checksum, true);
    view.setUint32(0, crc32Within(bytes, 4, keyEnd, placeSeed(seed, offset)), true);
    return bytes.subarray(0, length);
  }
}

/** The head of the record at `at` in `from`, byte `offset` of the file; undefined when none is valid there. */
export function decodeDataHead(from: Buffer, at: number, seed: number, offset: number): DataHead | undefined {
  const { bytes, view } = from;
  if (at + DATA_HEAD_BYTES > bytes.length) return undefined;
  const kind = view.getUint8(at + 8);
  const keyBytes = view.getUint16(at + 12, true);
  const keyEnd = at + DATA_HEAD_BYTES + keyBytes;
  if (kind < PUT || kind > CLEAR || keyEnd > bytes.length) return undefined;
  if (crc32Within(bytes, at + 4, keyEnd, placeSeed(seed, offset)) !== view.getUint32(at, true)) {
    return undefined;
  }
  return {
    kind,
    checksum: view.getUint32(at + 4, true),
    slot: view.getUint16(at + 10, true),
    keyBytes,
    valueBytes: view.getUint32(at + 16, true),
    version: view.getFloat64(at + 20, true),
  };
}

/** Checksum of the content of the record that takes all of `record`, to be compared with the one it was given. */
export function dataChecksum(record: Uint8Array): number {
  return crc32(record.subarray(8));
}

/** What a file's records are seeded with. */
export function seedOf(salt: number, fileIndex: number, generation: number): number {
  return (salt ^ Math.imul(fileIndex + 1, 0x85ebca6b) ^ Math.imul(generation + 1, 0xc2b2ae35)) >>> 0;
}
