import { crc32 as zlibCrc32 } from "node:zlib";

/** Up to this length our own loop is faster than the call of zlib, which needs a view on the bytes too. */
const SHORT_BYTES = 64;
const STEP_BYTES = 8;
const TABLES = tables();

/** CRC-32 (IEEE 802.3) of `bytes`, begun with `seed`; two different seeds never give the same result. */
export function crc32(bytes: Uint8Array, seed = 0): number {
  return zlibCrc32(bytes, seed);
}

/** The same of the bytes from `from` to `to`. */
export function crc32Within(bytes: Uint8Array, from: number, to: number, seed = 0): number {
  return to - from <= SHORT_BYTES ? sliced(bytes, from, to, seed) : zlibCrc32(bytes.subarray(from, to), seed);
}

/** Slicing by 8 (Kounavis, Berry: "A Systematic Approach to Building High Performance Software-based CRC Generators"). */
function sliced(bytes: Uint8Array, from: number, to: number, seed: number): number {
  const t = TABLES;
  let crc = ~seed;
  let at = from;
  for (; at + STEP_BYTES <= to; at += STEP_BYTES) {
    crc ^= bytes[at]! | bytes[at + 1]! << 8 | bytes[at + 2]! << 16 | bytes[at + 3]! << 24;
    crc = t[0x700 + (crc & 0xff)]! ^ t[0x600 + (crc >>> 8 & 0xff)]! ^ t[0x500 + (crc >>> 16 & 0xff)]! ^
      t[0x400 + (crc >>> 24)]! ^ t[0x300 + bytes[at + 4]!]! ^ t[0x200 + bytes[at + 5]!]! ^
      t[0x100 + bytes[at + 6]!]! ^ t[bytes[at + 7]!]!;
  }
  for (; at < to; at++) crc = t[(crc ^ bytes[at]!) & 0xff]! ^ crc >>> 8;
  return ~crc >>> 0;
}

/** Table k tells what a byte does to the CRC that k bytes follow. */
function tables(): Int32Array {
  const table = new Int32Array(STEP_BYTES * 256);
  for (let byte = 0; byte < 256; byte++) {
    let crc = byte;
    for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? crc >>> 1 ^ 0xedb88320 : crc >>> 1;
    table[byte] = crc;
  }
  for (let at = 256; at < table.length; at++) {
    const before = table[at - 256]!;
    table[at] = table[before & 0xff]! ^ before >>> 8;
  }
  return table;
}

/**
 * The seed for a frame's header, so that a frame is valid only where it was written (a misplaced or stale block does
 * not pass) and only in its own folder (a value cannot carry a forged frame, as the salt is secret).
 */
export function placeSeed(salt: number, position: number): number {
  const high = Math.floor(position / 2 ** 32);
  return (salt ^ (position >>> 0) ^ Math.imul(high + 1, 0x9e3779b1)) >>> 0;
}
