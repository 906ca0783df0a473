import { crc32 } from "./crc.ts";
import type { Buffer } from "./log_record.ts";

/*
 * A group: records that were written and synced together, after a header of 32 bytes, little-endian:
 *
 *    0 u32 magic
 *    4 u32 headCrc over 8..32, seeded with the salt
 *    8 f64 position: where this header stands in the node's log, counted over all segments
 *   16 f64 synced: how far the log was known to be on stable storage when the group was written
 *   24 u32 bytes of the records
 *   28 u32 number of records; 0 in a mark, which is written for its `synced` alone
 *
 * What is bad below any `synced` that is found is damage: it was there once. What is bad above is a torn tail.
 */
export const GROUP_HEAD_BYTES = 32;
const MAGIC = 0x5047564b; // "KVGP"

export interface GroupHead {
  readonly position: number;
  /** synced <= position */
  readonly synced: number;
  readonly bodyBytes: number;
  readonly count: number;
}

/** Writes the header at `at`. */
export function encodeGroupHead(head: GroupHead, into: Buffer, at: number, salt: number): void {
  const { bytes, view } = into;
  view.setUint32(at, MAGIC, true);
  view.setFloat64(at + 8, head.position, true);
  view.setFloat64(at + 16, head.synced, true);
  view.setUint32(at + 24, head.bodyBytes, true);
  view.setUint32(at + 28, head.count, true);
  view.setUint32(at + 4, crc32(bytes.subarray(at + 8, at + GROUP_HEAD_BYTES), salt), true);
}

/** The header at `at`, if a valid one stands there. */
export function decodeGroupHead(from: Buffer, at: number, salt: number): GroupHead | undefined {
  const { bytes, view } = from;
  if (at + GROUP_HEAD_BYTES > bytes.length || view.getUint32(at, true) !== MAGIC) return undefined;
  if (crc32(bytes.subarray(at + 8, at + GROUP_HEAD_BYTES), salt) !== view.getUint32(at + 4, true)) {
    return undefined;
  }
  return {
    position: view.getFloat64(at + 8, true),
    synced: view.getFloat64(at + 16, true),
    bodyBytes: view.getUint32(at + 24, true),
    count: view.getUint32(at + 28, true),
  };
}
