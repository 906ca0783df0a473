/**
 * Binary strings: one character (0..255) per byte. Keys and client ids are kept this way, because V8 stores such a
 * string in one byte per character and uses it as a map key without further cost.
 */

import { Buffer } from "node:buffer";

export function binaryFromBytes(bytes: Uint8Array): string {
  const buffer = Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  return buffer.toString("latin1");
}

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
