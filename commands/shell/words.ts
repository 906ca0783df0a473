/** Reading a line of the shell: words between blanks, quoted where they hold blanks themselves. */

import { UsageError } from "../framework/command.ts";

const ESCAPES: Readonly<Record<string, string>> = {
  n: "\n",
  t: "\t",
  r: "\r",
  '"': '"',
  "'": "'",
  "\\": "\\",
};

/** U+FEFF, which JavaScript takes for a blank, is none, and stays in a key or value. */
const BLANKS = /^[^\S\uFEFF]+/;
const WORD = /^[\S\uFEFF]+/;

/**
 * The words of a line, as bytes: keys and values may be any. A word that begins with `'` goes literally to the next
 * `'`; one that begins with `"` goes to the next `"` and knows the escapes `\n \t \r \" \' \\` and `\xHH` (a byte).
 * Other words go literally to the next blank. Throws {@link UsageError}.
 */
export function splitWords(line: string): Uint8Array[] {
  const words: Uint8Array[] = [];
  let rest = line.replace(BLANKS, "");
  while (rest !== "") {
    const [word, length] = rest[0] === '"' || rest[0] === "'" ? quoted(rest) : plain(rest);
    words.push(word);
    const after = rest.slice(length);
    if (after !== "" && !BLANKS.test(after)) {
      throw new UsageError(`there must be a blank after the closing quote of ${rest.slice(0, length)}`);
    }
    rest = after.replace(BLANKS, "");
  }
  return words;
}

/** The word at the start of `rest`, and how many characters it takes there. */
type Taken = readonly [word: Uint8Array, length: number];

function plain(rest: string): Taken {
  const word = WORD.exec(rest)![0];
  return [new TextEncoder().encode(word), word.length];
}

function quoted(rest: string): Taken {
  const quote = rest[0]!;
  const bytes: number[] = [];
  const encoder = new TextEncoder();
  for (let at = 1; at < rest.length;) {
    const character = String.fromCodePoint(rest.codePointAt(at)!);
    if (character === quote) return [new Uint8Array(bytes), at + 1];
    if (character === "\\" && quote === '"') {
      const [escaped, length] = escape(rest.slice(at));
      bytes.push(...escaped);
      at += length;
    } else {
      bytes.push(...encoder.encode(character));
      at += character.length;
    }
  }
  throw new UsageError(`the closing ${quote} is missing`);
}

function escape(rest: string): Taken {
  const byte = /^\\x([0-9A-Fa-f]{2})/.exec(rest);
  if (byte !== null) return [new Uint8Array([parseInt(byte[1]!, 16)]), 4];
  const meant = ESCAPES[rest[1] ?? ""];
  if (meant === undefined) {
    throw new UsageError(`unknown escape ${rest.slice(0, 2)}: there are \\n \\t \\r \\" \\' \\\\ and \\xHH`);
  }
  return [new TextEncoder().encode(meant), 2];
}
