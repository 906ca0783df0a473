import { readBinary, writeBinary } from "./binary.ts";
import { crc32Within, placeSeed } from "./crc.ts";
import { bareRecord, type LogRecord, RecordKind } from "./record.ts";

/*
 * A record of the log in bytes, little-endian:
 *
 *    0 u32 headCrc over 4..56, seeded with the place     20 u32 hash
 *    4 u32 bodyCrc over the body                         24 f64 epoch
 *    8 u8  kind           9 u8  outcome                  32 f64 lsn
 *   10 u16 slot          12 u16 key length               40 f64 sequence
 *   14 u16 client id length                              48 f64 lowest unfinished
 *   16 u32 value length                                  56 body: key, client id, value
 *
 * The head has its own CRC, so that of a record with a broken body it is still known which slot it belongs to.
 */
export const RECORD_HEAD_BYTES = 56;

/** A record of this kind tells how far a slot is committed (`lsn`); it only ever stands in the node's log. */
export const COMMIT_MARK = 15;

const KINDS: ReadonlySet<number> = new Set([...Object.values(RecordKind), COMMIT_MARK]);

/** The bytes and one view on them. */
export interface Buffer {
  readonly bytes: Uint8Array;
  readonly view: DataView;
}

/** The bytes with a view on them. */
export function bufferOf(bytes: Uint8Array): Buffer {
  return { bytes, view: new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength) };
}

/** Length of the record in the log. */
export function recordBytes(record: LogRecord): number {
  return RECORD_HEAD_BYTES + record.key.length + record.clientId.length + record.value.length;
}

/** Writes the record at `at`, which is byte `position` of the node's log; returns where it ends. */
export function encodeRecord(
  record: LogRecord,
  into: Buffer,
  at: number,
  salt: number,
  position: number,
): number {
  const { bytes, view } = into;
  const keyAt = at + RECORD_HEAD_BYTES;
  const clientAt = keyAt + record.key.length;
  const valueAt = clientAt + record.clientId.length;
  const end = valueAt + record.value.length;
  writeBinary(record.key, bytes, keyAt);
  writeBinary(record.clientId, bytes, clientAt);
  bytes.set(record.value, valueAt);
  view.setUint32(at + 4, crc32Within(bytes, keyAt, end), true);
  view.setUint8(at + 8, record.kind);
  view.setUint8(at + 9, record.outcome);
  view.setUint16(at + 10, record.slot, true);
  view.setUint16(at + 12, record.key.length, true);
  view.setUint16(at + 14, record.clientId.length, true);
  view.setUint32(at + 16, record.value.length, true);
  view.setUint32(at + 20, record.hash, true);
  view.setFloat64(at + 24, record.epoch, true);
  view.setFloat64(at + 32, record.lsn, true);
  view.setFloat64(at + 40, record.sequence, true);
  view.setFloat64(at + 48, record.lowestUnfinished, true);
  view.setUint32(at, crc32Within(bytes, at + 4, keyAt, placeSeed(salt, position)), true);
  return end;
}

/** Where the record at `at` would end if a valid head stands there; undefined when not. The body may be cut short. */
export function recordEnd(from: Buffer, at: number, salt: number, position: number): number | undefined {
  const { bytes, view } = from;
  if (at + RECORD_HEAD_BYTES > bytes.length) return undefined;
  const kind = view.getUint8(at + 8);
  const clientIdLength = view.getUint16(at + 14, true);
  if (!KINDS.has(kind) || (clientIdLength !== 0 && clientIdLength !== 16)) return undefined;
  const crc = crc32Within(bytes, at + 4, at + RECORD_HEAD_BYTES, placeSeed(salt, position));
  if (crc !== view.getUint32(at, true)) return undefined;
  return endOf(view, at);
}

/** Whether the body of the record from `at` to `end`, whose head is valid, is there and as it was written. */
export function isBodyIntact({ bytes, view }: Buffer, at: number, end: number): boolean {
  return end <= bytes.length &&
    crc32Within(bytes, at + RECORD_HEAD_BYTES, end) === view.getUint32(at + 4, true);
}

/** The record at `at`, whose head is valid, without key, value and client if the body is not intact. The value is a view. */
export function decodeRecord({ bytes, view }: Buffer, at: number, bodyIntact = true): LogRecord {
  const keyAt = at + RECORD_HEAD_BYTES;
  const clientAt = keyAt + view.getUint16(at + 12, true);
  const valueAt = clientAt + view.getUint16(at + 14, true);
  return {
    kind: view.getUint8(at + 8),
    slot: view.getUint16(at + 10, true),
    epoch: view.getFloat64(at + 24, true),
    lsn: view.getFloat64(at + 32, true),
    key: bodyIntact ? readBinary(bytes, keyAt, clientAt) : "",
    hash: view.getUint32(at + 20, true),
    value: bodyIntact ? bytes.subarray(valueAt, endOf(view, at)) : new Uint8Array(0),
    clientId: bodyIntact ? readBinary(bytes, clientAt, valueAt) : "",
    sequence: view.getFloat64(at + 40, true),
    lowestUnfinished: view.getFloat64(at + 48, true),
    outcome: view.getUint8(at + 9),
  };
}

function endOf(view: DataView, at: number): number {
  return at + RECORD_HEAD_BYTES + view.getUint16(at + 12, true) + view.getUint16(at + 14, true) +
    view.getUint32(at + 16, true);
}

/** The mark that a slot is committed through `lsn`. */
export function commitMark(slot: number, epoch: number, lsn: number): LogRecord {
  return bareRecord(COMMIT_MARK, slot, epoch, lsn);
}
