/**
 * FNV-1a, 32 bits: the hash of keys. Source: Fowler, Noll, Vo, "The FNV Non-Cryptographic Hash Algorithm"
 * (RFC 9923), offset basis 0x811c9dc5, prime 0x01000193.
 */

const OFFSET_BASIS = 0x811c9dc5;
const PRIME = 0x01000193;

/** Hash of `bytes`, an integer in [0, 2^32). */
export function fnv1a32(bytes: Uint8Array): number {
  let hash = OFFSET_BASIS;
  for (let i = 0; i < bytes.length; i++) {
    hash = Math.imul(hash ^ bytes[i]!, PRIME);
  }
  return hash >>> 0;
}

/** The same for a binary string: one character per byte, each from 0 to 255. */
export function fnv1a32Binary(text: string): number {
  let hash = OFFSET_BASIS;
  for (let i = 0; i < text.length; i++) {
    hash = Math.imul(hash ^ text.charCodeAt(i), PRIME);
  }
  return hash >>> 0;
}
