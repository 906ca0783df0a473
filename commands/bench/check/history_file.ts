/** A history as a file: see `core/check/line.ts` for its lines. */

import { lineOf, recordOf } from "../../../core/check/line.ts";
import { type OperationRecord, Records } from "../../../core/check/records.ts";
import { KvError } from "../../../core/platform/errors.ts";
import { utf8 } from "../../../core/platform/json_bytes.ts";
import type { Disk, DiskFile } from "../../../core/platform/ports.ts";
import { linesOf } from "../../framework/io.ts";

const BUFFER_CHARACTERS = 1 << 16;
const READ_BYTES = 1 << 20;

/** Replaces what the file held. Throws `DiskError`. */
export class HistoryWriter {
  readonly #file: DiskFile;
  readonly #encoder = new TextEncoder();
  #buffer = "";
  #offset = 0;

  constructor(disk: Disk, path: string) {
    this.#file = disk.open(path, "if-missing");
    this.#file.truncate(0);
  }

  add(record: OperationRecord): void {
    this.#buffer += lineOf(record);
    if (this.#buffer.length >= BUFFER_CHARACTERS) this.#flush();
  }

  close(): void {
    this.#flush();
    this.#file.close();
  }

  #flush(): void {
    const bytes = this.#encoder.encode(this.#buffer);
    this.#file.write(bytes, this.#offset);
    this.#offset += bytes.length;
    this.#buffer = "";
  }
}

/** Throws `DiskError`, or `KvError` "invalid" for a line that is no operation. */
export async function readHistory(disk: Disk, path: string): Promise<Records> {
  const records = new Records();
  let number = 0;
  for await (const line of linesOf(pieces(disk, path))) {
    const place = `${path}:${++number}`;
    const text = utf8(line);
    if (text === undefined) throw new KvError("invalid", `${place}: the line is not UTF-8, so no operation`);
    if (text !== "") records.add(recordOf(text, place));
  }
  return records;
}

async function* pieces(disk: Disk, path: string): AsyncGenerator<Uint8Array> {
  const file = disk.open(path, "never");
  try {
    for (let offset = 0;;) {
      const piece = new Uint8Array(READ_BYTES);
      const length = file.read(piece, offset);
      if (length === 0) return;
      yield piece.subarray(0, length);
      offset += length;
    }
  } finally {
    file.close();
  }
}
