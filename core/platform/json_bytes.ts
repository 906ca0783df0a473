/** Keys and values in JSON: both are bytes, and mostly UTF-8. */

// With `ignoreBOM` a leading U+FEFF stays what it is: a part of the value.
const strict = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** The text that the bytes spell, or undefined when they are not UTF-8. */
export function utf8(bytes: Uint8Array): string | undefined {
  try {
    return strict.decode(bytes);
  } catch {
    return undefined;
  }
}

/** `{ [name]: text }`, or `{ [name + "Base64"]: ... }` when the bytes are not UTF-8. */
export function jsonField(name: string, bytes: Uint8Array): Record<string, string> {
  const text = utf8(bytes);
  return text === undefined ? { [`${name}Base64`]: bytes.toBase64() } : { [name]: text };
}
