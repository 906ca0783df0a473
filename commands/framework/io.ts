/** Standard input, output and error as commands see them: results on `out`, everything for people on `err`. */

import { KvError } from "../../core/platform/errors.ts";
import { KEY_BYTES_MAX, VALUE_BYTES_MAX } from "../../core/platform/limits.ts";

/** Room for the longest key and value, each byte of them written as \xHH, and for the words and quotes around them. */
const LINE_BYTES_MAX = 4 * (KEY_BYTES_MAX + VALUE_BYTES_MAX) + 1024;

export interface Io {
  readonly stdinIsTerminal: boolean;
  /** Writes to standard output as it is. Whether anybody reads it is not the command's business. */
  out(text: string | Uint8Array): void;
  /** Writes a line to standard error. */
  err(line: string): void;
  /** Standard input, piece by piece. */
  stdin(): AsyncIterable<Uint8Array>;
}

/** One JSON document on one line. */
export function jsonLine(value: unknown): string {
  return JSON.stringify(value) + "\n";
}

/** All of standard input, as a value. Reads no further than a value can go: the input may have no end. */
export async function readValue(io: Io): Promise<Uint8Array> {
  const parts: Uint8Array[] = [];
  let length = 0;
  for await (const piece of io.stdin()) {
    parts.push(piece);
    length += piece.length;
    if (length <= VALUE_BYTES_MAX) continue;
    throw new KvError(
      "too-large",
      `the value on standard input has more than ${VALUE_BYTES_MAX} bytes, the most that valueBytesMax allows: ` +
        "keep it under several keys",
    );
  }
  return joined(parts, length);
}

/** The lines of a stream, as bytes without their ends; a last line needs no end. Rejects for one that is too long. */
export async function* linesOf(stream: AsyncIterable<Uint8Array>): AsyncIterable<Uint8Array> {
  let parts: Uint8Array[] = [];
  let length = 0;
  let number = 1;
  const add = (part: Uint8Array) => {
    length += part.length;
    if (length > LINE_BYTES_MAX) {
      throw new KvError(
        "too-large",
        `line ${number} has more than ${LINE_BYTES_MAX} bytes, more than any key and value take: break it up`,
      );
    }
    parts.push(part);
  };
  for await (const piece of stream) {
    let from = 0;
    for (let end = piece.indexOf(LINE_END); end >= 0; end = piece.indexOf(LINE_END, from)) {
      add(piece.subarray(from, end));
      yield withoutReturn(joined(parts, length));
      [parts, length, number, from] = [[], 0, number + 1, end + 1];
    }
    add(piece.subarray(from));
  }
  if (length > 0) yield joined(parts, length);
}

const LINE_END = 10, RETURN = 13;

function withoutReturn(line: Uint8Array): Uint8Array {
  return line.at(-1) === RETURN ? line.subarray(0, -1) : line;
}

function joined(parts: readonly Uint8Array[], length: number): Uint8Array {
  const all = new Uint8Array(length);
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}

/** The process's own. A reader that has gone away (`kv dump | head -1`) is no error, least of all for a server. */
export function systemIo(): Io {
  const encoder = new TextEncoder();
  return {
    stdinIsTerminal: Deno.stdin.isTerminal(),
    out(text) {
      const bytes = typeof text === "string" ? encoder.encode(text) : text;
      try {
        writeAll(Deno.stdout, bytes);
      } catch (error) {
        if (!(error instanceof Deno.errors.BrokenPipe)) throw error;
      }
    },
    err(line) {
      try {
        writeAll(Deno.stderr, encoder.encode(line + "\n"));
      } catch {
        // There is nobody left to tell.
      }
    },
    stdin: () => Deno.stdin.readable,
  };
}

/** A terminal or pipe that another process has made non-blocking takes a part at a time. */
function writeAll(stream: { writeSync(bytes: Uint8Array): number }, bytes: Uint8Array): void {
  for (let written = 0; written < bytes.length;) {
    try {
      written += stream.writeSync(bytes.subarray(written));
    } catch (error) {
      if (!(error instanceof Deno.errors.WouldBlock)) throw error;
    }
  }
}
