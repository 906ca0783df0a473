import { KvError, messageOf } from "../platform/errors.ts";
import { type Cancel, type Clock, DiskError } from "../platform/ports.ts";
import { commitMark, recordBytes } from "./log_record.ts";
import type { LogWriter } from "./log_writer.ts";
import type { EngineLimits } from "./options.ts";
import { type LogRecord, RecordKind } from "./record.ts";
import type { SlotState, Undo } from "./slot_state.ts";

/** On a disk whose syncs take longer than this the event loop is never held up. */
const SYNC_NOW_MS_MAX = 1;
/** After this long without a group, a mark covers the last one. */
const QUIET_MS = 50;
/** At least every so many bytes, marks tell how far the slots are committed, which bounds a restarted node's tail. */
const COMMIT_MARKS_EVERY_BYTES = 4 << 20;

/** Records that are written and synced together. */
class Group {
  readonly records: LogRecord[] = [];
  /** One per record: how to take it back. */
  readonly undos: Undo[] = [];
  bytes = 0;
  /** When its first record was appended. */
  sinceMs = 0;
  /** To be called when it is durable or rejected. */
  readonly waiting: (() => void)[] = [];
  /** Some of the records were sent to others. */
  sent = false;
}

export interface GroupListener {
  /**
   * The records of these slots stand in the log's file, and are about to be synced. True: some were sent to others, who
   * can sync them at the same time if the sync here does not hold them up.
   */
  written(slots: ReadonlySet<number>): boolean;
  /** The record is on stable storage; called for each in the order of appending. What it throws ends the storage. */
  settled(record: LogRecord): void;
  /** The records of these slots are on stable storage; the slots' durableLsn has been raised. */
  durable(slots: ReadonlySet<number>): void;
  /** The records were taken out of the slots again, as if never appended. */
  rejected(slot: number, fromLsn: number, error: KvError): void;
  /** Nothing will ever be written again. */
  failed(error: Error): void;
}

/**
 * Group commit: what is appended while a sync runs goes out with the next one. At most one group is under way.
 */
export class GroupCommit {
  #open = new Group();
  /** Being written, until all have been told of it. */
  #underWay: Group | undefined;
  #running = false;
  #failed = false;
  #closed = false;
  #syncMs = 0;
  #bytesSinceMarks = 0;
  /** Slots that were committed further since the last commit marks. */
  readonly #unmarked = new Map<number, SlotState>();
  /** Work that needs the log at rest: nothing under way, all that was written synced. */
  readonly #atRest: { readonly run: () => void; readonly reject: (error: unknown) => void }[] = [];
  #quietTimer: Cancel | undefined;
  #groups = 0;

  constructor(
    readonly writer: LogWriter,
    readonly clock: Clock,
    readonly limits: Pick<EngineLimits, "segmentBytes" | "syncNowBytesMax">,
    readonly slots: readonly SlotState[],
    readonly listener: GroupListener,
  ) {}

  add(record: LogRecord, undo: Undo): void {
    if (this.#open.records.length === 0) this.#open.sinceMs = this.clock.monotonicMs();
    this.#open.records.push(record);
    this.#open.undos.push(undo);
    this.#open.bytes += recordBytes(record);
    this.#wake();
  }

  /** Calls back when all that was added is durable or rejected: at once when it is. Never after a failure. */
  whenSynced(done: () => void): void {
    if (this.#failed) return;
    const last = this.#open.records.length > 0 ? this.#open : this.#underWay;
    if (last === undefined) done();
    else last.waiting.push(done);
  }

  /** How long the oldest record that is neither durable nor rejected has been waiting; 0 when there is none. */
  oldestMs(): number {
    const oldest = this.#underWay ?? this.#open;
    return oldest.records.length === 0 ? 0 : this.clock.monotonicMs() - oldest.sinceMs;
  }

  /** Notes that the slot was committed further, for the next marks. */
  committed(slot: SlotState): void {
    this.#unmarked.set(slot.slot, slot);
  }

  /** Notes that a checkpoint tells how far the slots are committed. */
  checkpointed(): void {
    this.#unmarked.clear();
    this.#bytesSinceMarks = 0;
  }

  /** Runs `work` between two groups. A DiskError of its own, but for `full`, fails the log. */
  atRest<T>(work: () => T): Promise<T> {
    return new Promise((resolve, reject) => {
      if (this.#failed || this.#closed) return reject(new KvError("unavailable", "the storage is closed"));
      const run = () => {
        try {
          resolve(work());
        } catch (error) {
          reject(error);
          if (!(error instanceof DiskError && error.fault === "full")) this.fail(error);
        }
      };
      this.#atRest.push({ run, reject });
      this.#wake();
    });
  }

  /** Resolves when all that was appended is durable, rejected, or lost to a failure. */
  async flush(): Promise<void> {
    while (!this.#failed && (this.#open.records.length > 0 || this.#running)) {
      await this.atRest(() => {}).catch(() => {});
    }
  }

  /** Writes a mark and lets go of the file. */
  close(): void {
    this.#quietTimer?.();
    if (!this.#failed && !this.#closed) this.#mark();
    this.#closed = true;
    this.writer.close();
  }

  fail(cause: unknown): void {
    if (this.#failed) return;
    this.#failed = true;
    this.#quietTimer?.();
    this.#open = new Group();
    for (const { reject } of this.#atRest.splice(0)) reject(cause);
    const error = cause instanceof Error ? cause : new Error(messageOf(cause));
    this.listener.failed(error);
  }

  #wake(): void {
    if (this.#running) return;
    this.#running = true;
    queueMicrotask(() => this.#run());
  }

  async #run(): Promise<void> {
    while (!this.#closed) {
      for (const { run } of this.#atRest.splice(0)) run();
      if (this.#failed || (this.#open.records.length === 0 && this.#atRest.length === 0)) break;
      if (this.#open.records.length === 0) continue;
      const group = this.#underWay = this.#open;
      this.#open = new Group();
      if (!this.#write(group)) continue;
      const now = this.#syncsNow(group);
      if (now && group.sent) await this.clock.nextTurn();
      const startMs = this.clock.monotonicMs();
      try {
        if (now) this.writer.syncNow();
        else await this.writer.sync();
      } catch (error) {
        this.fail(error);
      }
      this.#syncMs += (this.clock.monotonicMs() - startMs - this.#syncMs) / 8;
      if (this.#failed) break;
      this.#durable(group);
    }
    this.#running = false;
    if (!this.#failed && !this.#closed) this.#awaitQuiet();
  }

  /** False: the group could not be written. */
  #write(group: Group): boolean {
    try {
      if (this.writer.segmentBytes >= this.limits.segmentBytes) this.writer.roll();
      this.#bytesSinceMarks += group.bytes;
      const marks = this.#bytesSinceMarks >= COMMIT_MARKS_EVERY_BYTES ? this.#takeMarks() : [];
      this.writer.write(marks.length > 0 ? [...marks, ...group.records] : group.records);
      this.#groups++;
      this.#written(group);
      return true;
    } catch (error) {
      if (error instanceof DiskError && error.fault === "full") this.#reject(group, error);
      else this.fail(error);
      return false;
    }
  }

  #written(group: Group): void {
    const touched = new Set<number>();
    for (const record of group.records) {
      this.slots[record.slot]!.written(record);
      touched.add(record.slot);
    }
    group.sent = this.listener.written(touched);
  }

  #syncsNow(group: Group): boolean {
    return group.bytes <= this.limits.syncNowBytesMax && this.#syncMs < SYNC_NOW_MS_MAX;
  }

  #durable(group: Group): void {
    const touched = new Set<number>();
    try {
      for (const record of group.records) {
        this.listener.settled(record);
        if (record.kind === RecordKind.SnapshotEnd) this.committed(this.slots[record.slot]!);
        touched.add(record.slot);
      }
    } catch (error) {
      return this.fail(error);
    }
    this.listener.durable(touched);
    this.#told(group);
  }

  /** Nothing was appended since the group was closed, so it holds the last records of its slots. */
  #reject(group: Group, cause: DiskError): void {
    for (const undo of group.undos.reverse()) undo();
    const error = new KvError("disk-full", `the write was not executed: ${cause.message}`, {}, { cause });
    for (const slot of new Set(group.records.map(({ slot }) => slot))) {
      this.listener.rejected(slot, this.slots[slot]!.lastLsn + 1, error);
    }
    this.#told(group);
  }

  #told(group: Group): void {
    this.#underWay = undefined;
    for (const done of group.waiting) done();
  }

  #awaitQuiet(): void {
    if (this.#quietTimer !== undefined) return;
    const groups = this.#groups;
    this.#quietTimer = this.clock.after(QUIET_MS, () => {
      this.#quietTimer = undefined;
      if (this.#failed || this.#closed) return;
      if (this.#running || this.#groups !== groups) return this.#awaitQuiet();
      this.#mark();
    });
  }

  /** Covers the last group; nobody waits for it, so it is not synced. */
  #mark(): void {
    try {
      this.writer.write(this.#takeMarks());
    } catch (error) {
      if (!(error instanceof DiskError && error.fault === "full")) this.fail(error);
    }
  }

  #takeMarks(): LogRecord[] {
    const marks: LogRecord[] = [];
    for (const slot of this.#unmarked.values()) {
      marks.push(commitMark(slot.slot, slot.committedEpoch, slot.committedLsn));
    }
    this.checkpointed();
    return marks;
  }
}
