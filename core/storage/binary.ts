/** Binary strings: one char (0..255) per byte, the form in which keys and client ids are compared and looked up. */

/** Writes one byte per char of `text` at `at`. */
export function writeBinary(text: string, into: Uint8Array, at: number): void {
  for (let i = 0; i < text.length; i++) into[at + i] = text.charCodeAt(i);
}

export function readBinary(bytes: Uint8Array, from: number, to: number): string {
  if (from === to) return "";
  return String.fromCharCode.apply(null, bytes.subarray(from, to) as unknown as number[]);
}
