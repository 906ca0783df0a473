/**
 * Binary strings: one character (0..255) per byte. Keys and client ids are kept this way, because V8 stores such a
 * string in one byte per character and uses it as a map key without further cost.
 */

import { Buffer } from "node:buffer";

/** Up to this length a call with the bytes as arguments is faster than the way through a Buffer. */
const SHORT_BYTES = 64;

/** The string with the bytes as its characters. */
export function binaryFromBytes(bytes: Uint8Array): string {
  if (bytes.length <= SHORT_BYTES) return String.fromCharCode.apply(null, bytes as unknown as number[]);
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString("latin1");
}

/** The bytes that the string's characters stand for. */
export function bytesFromBinary(text: string): Uint8Array {
  return Buffer.from(text, "latin1");
}

const strict = new TextDecoder("utf-8", { fatal: true });

/** For messages: the text that the bytes spell, or their hexadecimal form when they are not UTF-8. */
export function printable(bytes: Uint8Array): string {
  try {
    return strict.decode(bytes);
  } catch {
    return `0x${Buffer.from(bytes).toString("hex")}`;
  }
}
