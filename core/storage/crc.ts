import { crc32 as zlibCrc32 } from "node:zlib";

/** CRC-32 (IEEE 802.3) of `bytes`, begun with `seed`; two different seeds never give the same result. */
export function crc32(bytes: Uint8Array, seed = 0): number {
  return zlibCrc32(bytes, seed);
}

/**
 * The seed for a frame's header, so that a frame is valid only where it was written (a misplaced or stale block does
 * not pass) and only in its own folder (a value cannot carry a forged frame, as the salt is secret).
 */
export function placeSeed(salt: number, position: number): number {
  const high = Math.floor(position / 2 ** 32);
  return (salt ^ (position >>> 0) ^ Math.imul(high + 1, 0x9e3779b1)) >>> 0;
}
