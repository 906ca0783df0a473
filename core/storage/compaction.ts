import { messageOf } from "../platform/errors.ts";
import { type Clock, type Disk, DiskError, type Log } from "../platform/ports.ts";
import type { DataFile } from "./data_file.ts";
import type { DataFiles, Shard } from "./data_files.ts";
import { DATA_HEAD_BYTES, dataChecksum, dataRecordBytes, PUT } from "./data_record.ts";
import { DataScan, type ScannedData } from "./data_scan.ts";
import type { SlotState } from "./slot_state.ts";
import type { CommittedState } from "./state.ts";

/** Between two steps others have their turn. */
const PAUSE_MS = 1;
/** So much is copied at most between two syncs, so that none of them takes long. */
const SYNC_EVERY_BYTES = 16 << 20;

export interface CompactionParts {
  readonly clock: Clock;
  readonly disk: Disk;
  readonly log: Log;
  readonly folder: string;
  readonly compactBytesMin: number;
  readonly compactStepBytes: number;
  readonly reserveBytes: number;
  readonly state: CommittedState;
  readonly files: DataFiles;
  readonly slots: readonly SlotState[];
  readonly checkpoint: () => Promise<void>;
  readonly failed: (error: unknown) => void;
}

/**
 * Compaction in the background: a file with more garbage than live data gets a new generation, which takes all
 * appends from then on and to which the live records of the older one move, step by step. A checkpoint may name both;
 * then loading reads the older one first, and the higher version of a key wins.
 */
export class Compaction {
  #running: Promise<void> | undefined;
  #stopped = false;

  constructor(readonly parts: CompactionParts) {}

  /** Begins to compact where it is worth it, unless it is under way. */
  consider(): void {
    if (
      this.#stopped || this.#running !== undefined || !this.parts.files.shards.some((s) => this.#worth(s))
    ) return;
    this.#running = this.#run().finally(() => this.#running = undefined);
  }

  /** Ends at the next step; what has been done stays. */
  async stop(): Promise<void> {
    this.#stopped = true;
    await this.#running;
  }

  /** Resolves when nothing is being compacted. */
  async idle(): Promise<void> {
    while (this.#running !== undefined) await this.#running;
  }

  #worth({ older, current }: Shard): boolean {
    if (older !== undefined) return !this.#isEvidence(older);
    if (current === undefined || this.#isEvidence(current)) return false;
    if (current.damaged) return true;
    const { size, liveBytes, garbageBytes } = current;
    // Where nothing is left it costs nothing, and what slots have had that were dropped is gone.
    return (size >= this.parts.compactBytesMin || liveBytes === 0) && garbageBytes > liveBytes;
  }

  /** A broken file is kept as long as a slot is damaged. Then nobody needs what is broken in it: it is rewritten. */
  #isEvidence(file: DataFile): boolean {
    return file.damaged && this.parts.slots.some(({ damage }) => damage !== undefined);
  }

  async #run(): Promise<void> {
    const { log, failed, checkpoint } = this.parts;
    try {
      // The checkpoint removes what was rewritten, which may be the room for the next.
      while (await this.#pass()) await checkpoint();
    } catch (error) {
      if (error instanceof DiskError && error.fault === "io") failed(error);
      else log("warn", "compaction was put off", { error: messageOf(error) });
    }
  }

  /** Rewrites what it can, that with the least to move first; returns whether it has rewritten a file. */
  async #pass(): Promise<boolean> {
    let rewritten = false;
    for (const shard of this.parts.files.shards.toSorted((a, b) => toMove(a) - toMove(b))) {
      if (this.#worth(shard) && await this.#compact(shard)) rewritten = true;
      if (this.#stopped) return false;
    }
    return rewritten;
  }

  /**
   * Half of the reserve is enough, as for deletes, or the disk that puts have filled up to the reserve would stay full:
   * the other half is the checkpoint's.
   */
  #hasRoom(shard: Shard): boolean {
    const { disk, folder, reserveBytes } = this.parts;
    const bytes = toMove(shard);
    return bytes === 0 || disk.freeBytes(folder) > bytes + reserveBytes / 2;
  }

  /** False: it was put off, and goes on the next time. */
  async #compact(shard: Shard): Promise<boolean> {
    if (!this.#hasRoom(shard)) return false;
    const { files, clock } = this.parts;
    if (shard.older === undefined) files.renew(shard);
    const older = shard.older!;
    const current = files.currentOf(shard);
    const scan = new DataScan(older);
    while (older.liveBytes > 0) {
      // Others write meanwhile.
      if (this.#stopped || !this.#hasRoom(shard)) return false;
      const more = await shard.lock.writing(() => this.#step(shard, scan));
      if (current.unsyncedBytes >= SYNC_EVERY_BYTES) await current.sync();
      if (!more) break;
      await clock.sleep(PAUSE_MS);
    }
    if (older.liveBytes > 0) {
      this.#damaged(older);
      return false;
    }
    // Gets and puts of the file wait for the lock: under it there is only the last moment's to be synced.
    await current.sync();
    await shard.lock.writing(async () => {
      await current.sync();
      files.dropOlder(shard);
    });
    return true;
  }

  /** Moves the live ones of some records; false at the end of the file. */
  #step(shard: Shard, scan: DataScan): boolean {
    const until = scan.offset + this.parts.compactStepBytes;
    while (scan.offset < until) {
      const record = scan.next();
      if (record === undefined) return false;
      if (record.kind === PUT) this.#move(shard, record);
    }
    return true;
  }

  #move(shard: Shard, record: ScannedData): void {
    const { state, slots, files } = this.parts;
    const older = shard.older!;
    const slot = slots[record.slot];
    if (slot === undefined) return;
    const row = state.rowOf(slot, record.key);
    if (row < 0) return;
    if (state.places.file(row) !== older.id || state.places.offset(row) !== record.offset) return;
    const length = dataRecordBytes(record.keyBytes, record.valueBytes);
    let { bytes } = record;
    if (bytes.length === 0) older.fillReadable(bytes = new Uint8Array(length), record.offset);
    if (dataChecksum(bytes) !== record.checksum) return;
    const value = bytes.subarray(DATA_HEAD_BYTES + record.keyBytes);
    const current = files.currentOf(shard);
    const offset = state.copy(current, record.slot, record.version, record.key, value);
    state.leaving(slot, row);
    state.places.move(row, current.id, offset);
    older.liveBytes -= length;
    current.liveBytes += length;
  }

  /** Some live records could not be read: their slots are damaged, and the file stays as it is. */
  #damaged(older: DataFile): void {
    const { state, slots } = this.parts;
    older.damaged = true;
    for (const slot of slots) {
      for (const row of slot.index.rows()) {
        if (state.places.file(row) !== older.id) continue;
        const reason = "a record cannot be read";
        state.onDamage(slot, { file: older.path, offset: state.places.offset(row), reason });
        break;
      }
    }
  }
}

/** How many bytes are to be written to rewrite the file. */
function toMove({ older, current }: Shard): number {
  return (older ?? current)?.liveBytes ?? 0;
}
