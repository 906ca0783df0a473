import type { Cancel, Clock, Log } from "../platform/ports.ts";
import type { DataFile } from "./data_file.ts";
import type { DataFiles } from "./data_files.ts";
import { dataChecksum, PUT } from "./data_record.ts";
import { type BrokenData, DataScan, type ScannedData, whyBroken } from "./data_scan.ts";
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

/** A file that is to be read in this pass: as much of it as there was when the pass began. */
interface Part {
  readonly file: DataFile;
  readonly size: number;
}

/**
 * Reads the data files in the background, one pass after the other, and compares each live record with its checksum:
 * rot is found while there are other copies, not when the last of them is gone. The log needs no such thing, since it
 * is let go of soon. What the page cache has is not read from the disk.
 *
 * At the end of a pass each slot's digest, which is compared with the other copies, is known to be that of records on
 * the disk: none was missing there.
 */
export class Scrub {
  /** Finished so far. */
  passes = 0;
  #timer: Cancel | undefined;
  /** Left to be read in this pass, by id of the file. */
  readonly #left = new Map<number, Part>();
  #scan: DataScan | undefined;
  /** By slot: the digest of the records that were live when the pass began and were neither met nor let go of since. */
  #unmet: number[] = [];
  /** No file was passed over in this pass. */
  #whole = false;
  readonly #memory = new Uint8Array(WINDOW_BYTES);

  constructor(readonly parts: ScrubParts) {}

  start(): void {
    if (this.parts.scrubBytesPerSecond === 0) return;
    this.parts.state.leaving = (slot, row) => this.#leaves(slot, row);
    this.#turnAfter(REST_MS);
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

  /** Looks at some more bytes; returns how many, undefined between two passes. */
  #step(): number | undefined {
    const part = this.#current();
    if (part === undefined) {
      this.#end();
      this.#begin();
      return undefined;
    }
    const scan = this.#scan!;
    const from = scan.offset;
    const until = Math.min(part.size, from + STEP_BYTES);
    for (let each = scan.next(until); each !== undefined; each = scan.next(until)) {
      this.#look(scan.file, each);
    }
    for (const range of scan.broken.splice(0)) this.#broken(scan.file, range);
    return scan.offset - from;
  }

  #begin(): void {
    for (const file of this.parts.files.files()) this.#left.set(file.id, { file, size: file.size });
    this.#unmet = this.parts.slots.map(({ digest }) => digest);
    this.#whole = true;
  }

  /** Whatever is unmet should be on the disk, and is not. */
  #end(): void {
    this.passes++;
    if (!this.#whole) return;
    const { slots, state, files } = this.parts;
    for (const [slot, unmet] of this.#unmet.entries()) {
      if (unmet === 0) continue;
      state.onDamage(slots[slot]!, { file: files.folder, offset: 0, reason: "records are not in the files" });
    }
  }

  /** Where to go on. Files that are known to be damaged wait to be rewritten; others may have been let go of. */
  #current(): Part | undefined {
    for (const part of this.#left.values()) {
      const { file, size } = part;
      if (this.#scan?.file !== file) this.#scan = new DataScan(file, this.#memory);
      if (file.damaged) this.#whole = false;
      else if (this.parts.files.byId(file.id) === file && this.#scan.offset < size) return part;
      this.#left.delete(file.id);
    }
    this.#scan = undefined;
    return undefined;
  }

  /** The entry of the row is about to be replaced, removed or moved. */
  #leaves(slot: SlotState, row: number): void {
    const { places } = this.parts.state;
    const part = this.#left.get(places.file(row));
    if (part === undefined || places.offset(row) >= part.size) return;
    if (this.#scan?.file === part.file && places.offset(row) < this.#scan.offset) return;
    this.#meet(slot, row);
  }

  #meet({ slot }: SlotState, row: number): void {
    this.#unmet[slot] = (this.#unmet[slot]! - this.parts.state.places.checksum(row)) >>> 0;
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
    if (intact) this.#meet(slot, row);
    else this.#damaged(slot, file, record.offset, "the checksum of a record does not match");
  }

  /** Live records may begin in the range. */
  #broken(file: DataFile, range: BrokenData): void {
    const { state, slots, log } = this.parts;
    const { offset, end } = range;
    file.damaged = true;
    log("warn", `broken data file: ${whyBroken(range)}`, { file: file.path, offset });
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
