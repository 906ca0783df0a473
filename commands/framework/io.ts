/** Standard input, output and error as commands see them: results on `out`, everything for people on `err`. */

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

/** All of standard input. */
export async function readAll(io: Io): Promise<Uint8Array> {
  return new Uint8Array(await new Blob(await Array.fromAsync(io.stdin()) as BlobPart[]).arrayBuffer());
}

/** The lines of a stream of UTF-8, without their ends; a last line needs no end. */
export async function* linesOf(stream: AsyncIterable<Uint8Array>): AsyncIterable<string> {
  const decoder = new TextDecoder();
  let rest = "";
  for await (const piece of stream) {
    rest += decoder.decode(piece, { stream: true });
    const lines = rest.split("\n");
    rest = lines.pop()!;
    for (const line of lines) yield line.replace(/\r$/, "");
  }
  rest += decoder.decode();
  if (rest !== "") yield rest;
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
