/** Keys and values as text. Both are bytes; mostly they are UTF-8. */

import { utf8 } from "../../core/platform/json_bytes.ts";

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
