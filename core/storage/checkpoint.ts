import { KvError } from "../platform/errors.ts";
import { type Clock, type Disk, DiskError, type Log } from "../platform/ports.ts";
import type { DataFile } from "./data_file.ts";
import type { DataFiles } from "./data_files.ts";
import type { GroupCommit } from "./group_commit.ts";
import { listSegments } from "./log_read.ts";
import { type LogWriter, segmentPath } from "./log_writer.ts";
import { encodeManifest, manifestSlot } from "./manifest.ts";
import type { LogRecord } from "./record.ts";
import { replaceFile } from "./replace_file.ts";
import type { SlotState } from "./slot_state.ts";
import { carriedSnapshot } from "./snapshot.ts";
import type { CommittedState } from "./state.ts";

export const MANIFEST_NAME = "checkpoint";
const CARRY_RECORDS = 1024;
const RETRY_AFTER_MS = 2000;
/** While room is short. */
const GIVE_BACK_EVERY_MS = 5000;

export interface CheckpointParts {
  readonly clock: Clock;
  readonly disk: Disk;
  readonly log: Log;
  readonly folder: string;
  readonly checkpointBytes: number;
  readonly slots: readonly SlotState[];
  readonly state: CommittedState;
  readonly files: DataFiles;
  readonly writer: LogWriter;
  readonly groups: GroupCommit;
  /** Whether writes are refused for lack of room. */
  readonly isShort: () => boolean;
  /** Told after each checkpoint. */
  readonly done: () => void;
}

/** The state at one moment, between two groups. */
interface Snapshot {
  readonly manifest: Uint8Array;
  readonly segment: number;
  readonly files: readonly DataFile[];
}

/**
 * Checkpoints: the data files are brought to stable storage, a manifest says what they hold, and the log before it
 * goes. Uncommitted tails and unfinished snapshots are written again at the start of the new segment, so that none holds it up.
 *
 * A crash at any step leaves the old manifest with the old log, or the new one with the new log: the old log goes
 * last, and nothing below the old manifest's file lengths is ever overwritten with other bytes.
 */
export class Checkpoints {
  #running: Promise<void> | undefined;
  #lastPosition = 0;
  #lastMs = 0;
  #notBeforeMs = 0;
  /** Set after damage was found in the log: its segments are kept for salvage in this folder, not removed. */
  evidenceFolder: string | undefined;

  constructor(readonly parts: CheckpointParts) {}

  /** Makes a checkpoint of a state that is no older than the call. */
  async make(): Promise<void> {
    while (this.#running !== undefined) await this.#running.catch(() => {});
    this.#running = this.#make().finally(() => this.#running = undefined);
    await this.#running;
    this.parts.done();
  }

  /** Begins one when it is due. */
  maybe(): void {
    const { clock, log } = this.parts;
    if (this.#running !== undefined || clock.monotonicMs() < this.#notBeforeMs || !this.#isDue()) return;
    this.make().catch((error) => {
      this.#notBeforeMs = clock.monotonicMs() + RETRY_AFTER_MS;
      log("warn", "no checkpoint could be made; it is tried again", { error });
    });
  }

  /**
   * Enough was logged since the last. While room is short little is, but what deletes have freed, in the log and by
   * the compaction that follows, is given back by checkpoints alone.
   */
  #isDue(): boolean {
    const { writer, clock, checkpointBytes, isShort } = this.parts;
    if (writer.position - this.#lastPosition >= checkpointBytes) return true;
    return isShort() && clock.monotonicMs() - this.#lastMs >= GIVE_BACK_EVERY_MS;
  }

  async #make(): Promise<void> {
    const { groups, disk, folder, files, clock } = this.parts;
    this.#lastMs = clock.monotonicMs();
    try {
      const snapshot = await groups.atRest(() => this.#snapshot());
      await this.#flush(snapshot.files);
      await replaceFile(disk, folder, MANIFEST_NAME, snapshot.manifest);
      this.parts.writer.vouch();
      this.#releaseLog(snapshot.segment);
      files.removeAllBut(new Set(snapshot.files.map(({ path }) => path)));
    } catch (error) {
      if (error instanceof DiskError && error.fault !== "full") groups.fail(error);
      if (!(error instanceof DiskError)) throw error;
      const code = error.fault === "full" ? "disk-full" : "unavailable";
      throw new KvError(code, `no checkpoint could be made: ${error.message}`, {}, { cause: error });
    }
  }

  #snapshot(): Snapshot {
    const { writer, slots, files, groups } = this.parts;
    if (writer.segmentBytes > 0) writer.roll();
    const { segment, position } = writer;
    this.#carry();
    this.#lastPosition = writer.position;
    const used = [...files.files()].filter(({ size }) => size > 0);
    const manifest = encodeManifest({
      segment,
      position,
      synced: writer.position,
      files: used.map(({ index, generation, size }) => ({ index, generation, size })),
      slots: slots.filter(({ blank }) => !blank).map(manifestSlot),
    });
    groups.checkpointed();
    return { manifest, segment, files: used };
  }

  /**
   * Writes the durable part of the tails, and of snapshots that are not finished, into the new segment; at least a mark,
   * which tells where it begins.
   */
  #carry(): void {
    const { writer, slots, state } = this.parts;
    const records: LogRecord[] = [];
    for (const slot of slots) {
      for (const record of slot.logged().tail) records.push(record);
      for (const record of carriedSnapshot(state, slot)) records.push(record);
    }
    for (let i = 0; i === 0 || i < records.length; i += CARRY_RECORDS) {
      writer.write(records.slice(i, i + CARRY_RECORDS));
    }
    writer.syncNow();
  }

  async #flush(used: readonly DataFile[]): Promise<void> {
    for (const file of used) await file.sync();
    // Until the folder is synced the file may be gone with the power, also if this checkpoint fails before.
    const created = used.filter((file) => file.created);
    const folders = new Set(created.map(({ path }) => path.slice(0, path.lastIndexOf("/"))));
    for (const path of folders) this.parts.disk.syncFolder(path);
    for (const file of created) file.created = false;
  }

  #releaseLog(first: number): void {
    const { disk, writer } = this.parts;
    const old = listSegments(disk, writer.folder).filter((segment) => segment < first);
    const { evidenceFolder } = this;
    this.evidenceFolder = undefined;
    if (evidenceFolder !== undefined) disk.makeFolder(evidenceFolder);
    for (const segment of old) {
      const path = segmentPath(writer.folder, segment);
      if (evidenceFolder === undefined) disk.remove(path);
      else disk.rename(path, segmentPath(evidenceFolder, segment));
    }
  }
}
