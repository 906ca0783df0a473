/** Keys and values as text and as JSON. Both are bytes; mostly they are UTF-8. */

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

/**
 * The bytes on one line: plain text as it is; text with control characters, and what is not UTF-8, in double quotes
 * with escapes, in the form that the shell reads.
 */
export function oneLine(bytes: Uint8Array): string {
  const text = utf8(bytes);
  if (text === undefined) return `"${Array.from(bytes, escapeByte).join("")}"`;
  return /[\p{Cc}\u2028\u2029]/u.test(text)
    ? `"${text.replaceAll(/[\p{Cc}\u2028\u2029"\\]/gu, escapeCharacter)}"`
    : text;
}

/** `{ [name]: text }`, or `{ [name + "Base64"]: ... }` when the bytes are not UTF-8. */
export function jsonField(name: string, bytes: Uint8Array): Record<string, string> {
  const text = utf8(bytes);
  return text === undefined ? { [`${name}Base64`]: bytes.toBase64() } : { [name]: text };
}

const NAMED: Readonly<Record<string, string>> = {
  "\n": "\\n",
  "\t": "\\t",
  "\r": "\\r",
  '"': '\\"',
  "\\": "\\\\",
};

function escapeCharacter(character: string): string {
  return NAMED[character] ?? Array.from(new TextEncoder().encode(character), hexEscape).join("");
}

function escapeByte(byte: number): string {
  const character = String.fromCharCode(byte);
  return NAMED[character] ?? (byte >= 0x20 && byte < 0x7f ? character : hexEscape(byte));
}

function hexEscape(byte: number): string {
  return `\\x${byte.toString(16).padStart(2, "0")}`;
}
