import { messageOf } from "../platform/errors.ts";
import { type Cancel, type Clock, DiskError, type Log } from "../platform/ports.ts";
import type { DataFile } from "./data_file.ts";
import type { DataFiles } from "./data_files.ts";
import { dataChecksum, PUT } from "./data_record.ts";
import { type BrokenData, DataScan, type ScannedData } from "./data_scan.ts";
import type { SlotState } from "./slot_state.ts";
import type { CommittedState } from "./state.ts";

const STEP_BYTES = 64 << 10;
const WINDOW_BYTES = 256 << 10;
/** From the end of a pass to the next one: a node with little data need not look at it all the time. */
const REST_MS = 10_000;

export interface ScrubParts {
  readonly clock: Clock;
  readonly log: Log;
  /** 0: nothing is scrubbed. */
  readonly scrubBytesPerSecond: number;
  readonly files: DataFiles;
  readonly slots: readonly SlotState[];
  readonly state: CommittedState;
}

/**
 * Reads the data files in the background, one pass after the other, and compares each live record with its checksum:
 * rot is found while there are other copies, not when the last of them is gone. The log needs no such thing, since it
 * is let go of soon. What the page cache has is not read from the disk.
 */
export class Scrub {
  /** Finished so far. */
  passes = 0;
  #timer: Cancel | undefined;
  /** Left to be read in this pass. */
  #files: DataFile[] = [];
  #scan: DataScan | undefined;
  readonly #memory = new Uint8Array(WINDOW_BYTES);

  constructor(readonly parts: ScrubParts) {}

  start(): void {
    if (this.parts.scrubBytesPerSecond > 0) this.#turnAfter(REST_MS);
  }

  stop(): void {
    this.#timer?.();
  }

  #turnAfter(delayMs: number): void {
    this.#timer = this.parts.clock.after(delayMs, () => {
      const bytes = this.#step();
      this.#turnAfter(bytes === undefined ? REST_MS : bytes * 1000 / this.parts.scrubBytesPerSecond);
    });
  }

  /** Looks at some more bytes; returns how many, undefined at the end of a pass. */
  #step(): number | undefined {
    const scan = this.#current();
    if (scan === undefined) {
      this.passes++;
      this.#files = [...this.parts.files.files()];
      return undefined;
    }
    const from = scan.offset;
    const until = from + STEP_BYTES;
    try {
      for (let each = scan.next(until); each !== undefined; each = scan.next(until)) {
        this.#look(scan.file, each);
      }
    } catch (error) {
      if (!(error instanceof DiskError)) throw error;
      scan.offset = Math.min(until, scan.file.size);
      this.#broken(scan.file, { offset: from, end: scan.offset }, messageOf(error));
    }
    for (const range of scan.broken.splice(0)) this.#broken(scan.file, range, "it is no valid record");
    return scan.offset - from;
  }

  /** Where to go on. Files that are known to be damaged wait to be rewritten; others may have been let go of. */
  #current(): DataScan | undefined {
    const { files } = this.parts;
    const inUse = (file: DataFile) => !file.damaged && files.byId(file.id) === file;
    const scan = this.#scan;
    if (scan !== undefined && inUse(scan.file) && scan.offset < scan.file.size) return scan;
    this.#scan = undefined;
    for (let file = this.#files.shift(); file !== undefined; file = this.#files.shift()) {
      if (inUse(file) && file.size > 0) return this.#scan = new DataScan(file, this.#memory);
    }
    return undefined;
  }

  #look(file: DataFile, record: ScannedData): void {
    const { state, slots } = this.parts;
    const slot = slots[record.slot];
    if (slot === undefined || record.kind !== PUT) return;
    const row = state.rowOf(slot, record.key);
    if (row < 0 || !this.#lies(row, file) || state.places.offset(row) !== record.offset) return;
    const { bytes } = record;
    // The bytes of long values are not there.
    const intact = bytes.length > 0
      ? dataChecksum(bytes) === state.places.checksum(row)
      : state.isIntact(row);
    if (!intact) this.#damaged(slot, file, record.offset, "the checksum of a record does not match");
  }

  /** Live records may begin in the range. */
  #broken(file: DataFile, { offset, end }: BrokenData, why: string): void {
    const { state, slots, log } = this.parts;
    file.damaged = true;
    log("warn", `broken data file: ${end - offset} bytes are wrong: ${why}`, { file: file.path, offset });
    for (const slot of slots) {
      for (const row of slot.index.rows()) {
        const at = state.places.offset(row);
        if (!this.#lies(row, file) || at < offset || at >= end) continue;
        this.#damaged(slot, file, at, "a record cannot be read");
        break;
      }
    }
  }

  #damaged(slot: SlotState, file: DataFile, offset: number, reason: string): void {
    file.damaged = true;
    this.parts.state.onDamage(slot, { file: file.path, offset, reason });
  }

  #lies(row: number, file: DataFile): boolean {
    return this.parts.state.places.file(row) === file.id;
  }
}
