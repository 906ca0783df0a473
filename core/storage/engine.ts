import { KvError } from "../platform/errors.ts";
import type { Cancel } from "../platform/ports.ts";
import type { ClusterSettings } from "../ring/ring.ts";
import { Checkpoints } from "./checkpoint.ts";
import { Compaction } from "./compaction.ts";
import type { FileLock } from "./file_lock.ts";
import { GroupCommit } from "./group_commit.ts";
import { checkIdentity, type Identity, lockFolder, writeIdentity } from "./identity.ts";
import { recordBytes } from "./log_record.ts";
import { Listeners } from "./listeners.ts";
import { DEFAULT_LIMITS, type EngineLimits, type EngineOptions } from "./options.ts";
import { type LogRecord, RecordKind } from "./record.ts";
import { openIdentity, recover, type Recovered } from "./recovery.ts";
import { Rescue } from "./rescue.ts";
import { Scrub } from "./scrub.ts";
import { sessionsToBytes } from "./session_bytes.ts";
import type { ClientSessions } from "./sessions.ts";
import type { Damage, SlotDigest, SlotView } from "./slot.ts";
import type { SlotState } from "./slot_state.ts";
import { settle, snapshotOfNothing } from "./snapshot.ts";
import { SpaceGate } from "./space.ts";
import type { Entry, EntrySince } from "./state.ts";

export { DEFAULT_LIMITS, type EngineLimits, type EngineOptions } from "./options.ts";
export { type LogRecord, RecordKind } from "./record.ts";
export type { ClientSession, ClientSessions, WriteResult } from "./sessions.ts";
export type { Damage, SlotView } from "./slot.ts";
export type { FileLock } from "./file_lock.ts";
export type { Entry } from "./state.ts";

/** Told before each sync what was written; true: it has sent some of that, which should leave before the sync. */
export type WrittenListener = (slots: ReadonlySet<number>) => boolean;
/** Told after each sync which slots' durableLsn has been raised. */
export type DurableListener = (slots: ReadonlySet<number>) => void;
/** Told that the slot's records from `fromLsn` on are out of its tail again: definitely not executed. */
export type RejectedListener = (slot: number, fromLsn: number, error: KvError) => void;
/** Told once that nothing will be written any more. */
export type FailureListener = (error: Error) => void;
/** Told once when the slot turns out to be damaged while the node runs. */
export type DamageListener = (slot: number, damage: Damage) => void;

/**
 * The storage of a node: logs of slots, and the state that their committed records make.
 *
 * A record goes the way append -> durable (synced, `onDurable`) -> commit (applied, readable). What is committed is
 * for the caller to decide; after a start the slots' tails hold what was durable but is not known to be committed.
 */
export class Engine {
  /** For copies for which there is no better one. */
  readonly rescue: Rescue;
  readonly #writes = new Listeners<Parameters<WrittenListener>, boolean>();
  readonly #durable = new Listeners<Parameters<DurableListener>>();
  readonly #rejected = new Listeners<Parameters<RejectedListener>>();
  readonly #failures = new Listeners<Parameters<FailureListener>>();
  readonly #slots: readonly SlotState[];
  readonly #groups: GroupCommit;
  readonly #checkpoints: Checkpoints;
  readonly #compaction: Compaction;
  readonly #scrub: Scrub;
  readonly #space: SpaceGate;
  #failure: Error | undefined;
  #closed = false;

  private constructor(
    readonly options: EngineOptions,
    readonly limits: EngineLimits,
    readonly recovered: Recovered,
    private identity: Identity,
    readonly release: Cancel,
  ) {
    const { clock, disk, log, folder } = options;
    const { slots, files, state, writer } = recovered;
    this.#slots = slots;
    for (const slot of slots) slot.writtenLsn = slot.lastLsn;
    this.#space = new SpaceGate(clock, disk, folder, limits.reserveBytes, () => this.#maybeCheckpoint());
    this.#groups = new GroupCommit(writer, clock, limits, slots, {
      settled: (record) => settle(state, slots[record.slot]!, record),
      written: (touched) => this.#writes.tell(touched).includes(true),
      durable: (touched) => this.#onGroup(touched),
      rejected: (slot, fromLsn, error) => this.#onRejection(slot, fromLsn, error),
      failed: (error) => this.#onFailed(error),
    });
    const shared = { ...limits, clock, disk, log, folder, slots, files, state };
    const done = () => this.#compaction.consider();
    const isShort = () => this.#space.isShort;
    this.#checkpoints = new Checkpoints({ ...shared, writer, groups: this.#groups, isShort, done });
    const checkpoint = () => this.#checkpoints.make();
    const failed = (error: unknown) => this.#groups.fail(error);
    this.#compaction = new Compaction({ ...shared, checkpoint, failed });
    this.#scrub = new Scrub(shared);
    this.rescue = new Rescue({
      ...{ clock, disk, state, folder: `${folder}/aside` },
      ...{ slot: (slot) => this.#slot(slot), append: (record) => this.#append(record) },
      ...{ commit: (slot, lsn) => void this.commit(slot, lsn), synced: () => this.#synced() },
      admit: (bytes) => this.#space.admit(bytes, false),
    });
  }

  /**
   * Opens the folder, or makes it. Locks it, raises its incarnation, and brings what it holds into memory; all that is
   * reported from then on is on stable storage.
   *
   * @throws KvError refused: the folder is in use, or belongs to another cluster, or was made with other settings
   * @throws KvError damaged: its identity or its manifest cannot be read; damage to single slots is no error here
   */
  static async open(options: EngineOptions): Promise<Engine> {
    const { disk, folder } = options;
    const limits = { ...DEFAULT_LIMITS, ...options.limits };
    if (!disk.exists(folder)) {
      disk.makeFolder(folder);
      disk.syncFolder(parentOf(folder));
    }
    const release = lockFolder(disk, folder);
    try {
      const { identity: saved, manifest } = openIdentity(options);
      checkIdentity(saved, folder, options.clusterId, options.settings);
      const clusterId = saved.clusterId ?? options.clusterId;
      const identity = { ...saved, clusterId, incarnation: saved.incarnation + 1 };
      if (saved.incarnation > 0) writeIdentity(disk, folder, identity);
      const recovered = recover({ ...options, ...limits }, saved, manifest);
      const engine = new Engine(options, limits, recovered, identity, release);
      await engine.#start(saved.incarnation === 0);
      return engine;
    } catch (error) {
      release();
      throw error;
    }
  }

  /** UUID of the node, made with the folder. */
  get nodeId(): string {
    return this.identity.nodeId;
  }

  /** Number of this process start on the folder, from 1. */
  get incarnation(): number {
    return this.identity.incarnation;
  }

  /** Why nothing is written any more; undefined as long as all is well. */
  get failure(): Error | undefined {
    return this.#failure;
  }

  get clusterId(): string | undefined {
    return this.identity.clusterId;
  }

  /** Binds the folder to a cluster, durably, once; throws KvError refused when it belongs to another. */
  adoptCluster(clusterId: string, settings: ClusterSettings): void {
    const { disk, folder } = this.options;
    checkIdentity(this.identity, folder, clusterId, settings);
    if (this.identity.clusterId === clusterId) return;
    const identity = { ...this.identity, clusterId };
    writeIdentity(disk, folder, identity);
    this.identity = identity;
  }

  /** The slot as it is at any time. */
  slot(slot: number): SlotView {
    return this.#slot(slot);
  }

  /**
   * Puts the record behind the slot's last one and into the next group; synchronous. A snapshot (see `RecordKind`)
   * replaces the slot's copy, and clears its damage when it contains all. Behind its end, records from its LSN + 1 on
   * follow, also in the same turn.
   *
   * @throws KvError disk-full, unavailable (the storage has failed; the slot is incomplete, has no snapshot to go on
   * with, or is being salvaged or set aside), damaged (the slot): nothing was appended
   * @throws RangeError the record does not follow the slot's last one, or is too large
   */
  append(record: LogRecord): void {
    this.rescue.checkIdle(record.slot);
    this.#append(record);
  }

  #append(record: LogRecord): void {
    if (this.#failure !== undefined || this.#closed) throw this.#unavailable();
    const slot = this.#slot(record.slot);
    if (!slot.takes(record)) throw unusable(slot);
    const { keyBytesMax, valueBytesMax } = this.limits;
    const isPut = record.kind === RecordKind.Put || record.kind === RecordKind.SnapshotPut;
    if (record.key.length > keyBytesMax || (isPut && record.value.length > valueBytesMax)) {
      throw new RangeError(
        `key of ${record.key.length} or value of ${record.value.length} bytes exceeds ${keyBytesMax} or ${valueBytesMax}`,
      );
    }
    const logged = slot.numbered(record);
    this.#space.admit(recordBytes(logged), !isPut);
    this.#groups.add(logged, slot.append(logged));
  }

  /** As if the node had never had anything of the slot, once synced; throws as {@link append} does. */
  drop(slot: number): void {
    for (const record of snapshotOfNothing(slot)) this.append(record);
  }

  /** Told when records of the slots stand in the log's file: no lack of room can take them back any more. */
  onWritten(listener: WrittenListener): Cancel {
    return this.#writes.add(listener);
  }

  onDurable(listener: DurableListener): Cancel {
    return this.#durable.add(listener);
  }

  onRejected(listener: RejectedListener): Cancel {
    return this.#rejected.add(listener);
  }

  onFailure(listener: FailureListener): Cancel {
    return this.#failures.add(listener);
  }

  onDamage(listener: DamageListener): Cancel {
    return this.recovered.damages.listeners.add(listener);
  }

  /**
   * Calls back once when all that was appended before is durable or rejected, after the listeners: at once when it is
   * already. Never after a failure.
   */
  whenSynced(done: () => void): void {
    this.#groups.whenSynced(done);
  }

  /** For how long the oldest record that is neither durable nor rejected has been appended; 0 when there is none. */
  oldestUnsyncedMs(): number {
    return this.#groups.oldestMs();
  }

  /** Applies the slot's tail through `lsn` and returns what was applied; RangeError when that is not durable. */
  commit(slot: number, lsn: number): readonly LogRecord[] {
    const state = this.#slot(slot);
    const taken = state.take(lsn);
    try {
      for (const record of taken) this.recovered.state.apply(state, record);
    } catch (error) {
      this.#groups.fail(error);
    }
    this.#groups.committed(state);
    return taken;
  }

  /** Epoch of the record at `lsn`, which is the last committed one or one behind it; otherwise undefined. */
  epochAt(slot: number, lsn: number): number | undefined {
    return this.#slot(slot).epochAt(lsn);
  }

  /** Committed version of the key; 0 when it has no value. */
  versionOf(slot: number, key: string, hash?: number): number {
    return this.recovered.state.versionOf(this.#intact(slot), key, hash);
  }

  /** Committed value, not to be changed, and version. Throws KvError damaged when it cannot be read back. */
  read(slot: number, key: string, hash?: number): { value: Uint8Array; version: number } | undefined {
    return this.recovered.state.read(this.#intact(slot), key, hash);
  }

  /** The same, but without the value where the version is not above `since`. The value lasts until the next call. */
  readSince(slot: number, key: string, hash: number, since: number): EntrySince | undefined {
    return this.recovered.state.readSince(this.#intact(slot), key, hash, since);
  }

  /** The committed keys, in no order. */
  keysOf(slot: number): string[] {
    return [...this.recovered.state.keys(this.#intact(slot))];
  }

  /** For comparing copies that are committed through the same LSN. Undefined while the state is none that ever was. */
  digestAt(slot: number): SlotDigest | undefined {
    const { committedLsn: lsn, blurredThroughLsn, digest: entries, keys, sessions } = this.#intact(slot);
    if (lsn < blurredThroughLsn) return undefined;
    return { lsn, keys, entries, results: sessions.digest() };
  }

  /** The slot's copy turned out to be wrong, though all that there is of it is intact. */
  distrust(slot: number, reason: string): void {
    this.recovered.damages.report(this.#slot(slot), { file: this.options.folder, offset: 0, reason });
  }

  /** What is remembered of the slot's clients: the value of a SnapshotBegin. */
  clientResults(slot: number): Uint8Array {
    return sessionsToBytes(this.#intact(slot).sessions);
  }

  /** The committed entries as they are now, in no order; throws `unavailable` when one that was replaced is gone. */
  entries(slot: number, keysOnly = false): Generator<Entry> {
    return this.recovered.state.entries(this.#intact(slot), keysOnly);
  }

  sessions(slot: number): ClientSessions {
    return this.#slot(slot).sessions;
  }

  /** The read-write lock of the file in which keys of this hash are. */
  lockOf(hash: number): FileLock {
    return this.recovered.files.shardOf(hash).lock;
  }

  /** Makes a checkpoint of a state no older than this call; throws KvError disk-full or unavailable. */
  checkpoint(): Promise<void> {
    return this.#checkpoints.make();
  }

  /** Resolves when no file is being compacted. */
  compacted(): Promise<void> {
    return this.#compaction.idle();
  }

  /** Writes out what there is, makes a checkpoint, and lets go of the folder. */
  async close(): Promise<void> {
    if (this.#closed) return;
    await this.#groups.flush();
    this.#closed = true;
    this.#scrub.stop();
    await this.#compaction.stop();
    if (this.#failure === undefined) await this.#checkpoints.make().catch((error) => this.#warn(error));
    this.#groups.close();
    this.recovered.files.close();
    this.release();
  }

  async #start(isNew: boolean): Promise<void> {
    const { disk, folder } = this.options;
    if (this.recovered.logDamaged) this.#checkpoints.evidenceFolder = `${folder}/damaged`;
    await this.#checkpoints.make();
    if (isNew) writeIdentity(disk, folder, this.identity);
    this.#scrub.start();
  }

  #synced(): Promise<void> {
    return new Promise((resolve, reject) => {
      if (this.#failure !== undefined || this.#closed) return reject(this.#unavailable());
      const cancel = this.onFailure(() => reject(this.#unavailable()));
      this.whenSynced(() => {
        cancel();
        resolve();
      });
    });
  }

  #slot(slot: number): SlotState {
    const state = this.#slots[slot];
    if (state === undefined) throw new RangeError(`slot ${slot} is not within 0..${this.#slots.length - 1}`);
    return state;
  }

  #intact(slot: number): SlotState {
    const state = this.#slot(slot);
    if (state.damage !== undefined || state.incomplete) throw unusable(state);
    return state;
  }

  #onGroup(touched: ReadonlySet<number>): void {
    this.#durable.tell(touched);
    this.#maybeCheckpoint();
  }

  #maybeCheckpoint(): void {
    if (!this.#closed) this.#checkpoints.maybe();
  }

  #onRejection(slot: number, fromLsn: number, error: KvError): void {
    this.#space.full();
    this.#rejected.tell(slot, fromLsn, error);
  }

  #onFailed(error: Error): void {
    this.#failure = error;
    this.options.log("error", "the storage has failed and takes no more writes", { error });
    this.#failures.tell(error);
  }

  #unavailable(): KvError {
    const why = this.#failure === undefined ? "is closed" : `has failed: ${this.#failure.message}`;
    return new KvError("unavailable", `the storage in ${this.options.folder} ${why}`);
  }

  #warn(error: unknown): void {
    this.options.log("warn", "no checkpoint was made at the end; the log has all", { error });
  }
}

/** Why the slot cannot be read, or appended to. */
function unusable({ slot, damage }: SlotState): KvError {
  if (damage === undefined) {
    return new KvError("unavailable", `slot ${slot} is only partly here: a copy of it is being fetched`, {
      slot,
    });
  }
  const { file, offset, reason } = damage;
  return new KvError("damaged", `slot ${slot} is damaged: ${reason} (${file}, byte ${offset})`, { slot });
}

function parentOf(path: string): string {
  const slash = path.lastIndexOf("/");
  return slash < 0 ? "." : slash === 0 ? "/" : path.slice(0, slash);
}
