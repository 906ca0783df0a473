import { KvError } from "../platform/errors.ts";
import type { Clock } from "../platform/ports.ts";
import type { NodeRef, SlotEntry } from "../ring/ring.ts";
import type { Engine } from "../storage/engine.ts";
import { type LogRecord, RecordKind } from "../storage/record.ts";
import { epochRecord, lowestKept, noteRecord } from "./bookkeeping.ts";
import { Deferrals } from "./deferrals.ts";
import { DueMarks } from "./due.ts";
import type { Follower } from "./follower.ts";
import { ClientForgetting } from "./forgetting.ts";
import { InSyncSet } from "./in_sync_set.ts";
import { newPending, type PendingRecord, PendingRecords, tellWaiters } from "./pending.ts";
import { CLOCKS_APART_MS, type Promises } from "./promises.ts";
import type { RecentRecords } from "./recent_records.ts";
import { answerRetry } from "./retries.ts";
import type { Uncommitted } from "./uncommitted.ts";
import { decide, Outcome, type Waiter, type WriteRequest } from "./write.ts";

const EMPTY = new Uint8Array(0);
/** The share of a promise that the owner counts on: clocks may run at rates this far apart. */
const LEASE_SHARE = 0.8;

/** What the owners of a node have in common. */
export interface OwnerParts {
  readonly self: NodeRef;
  readonly engine: Engine;
  readonly clock: Clock;
  readonly promises: Promises;
  readonly recent: RecentRecords;
  readonly uncommitted: Uncommitted;
  readonly clientsMax: number;
  readonly minInSync: number;
  /** Told when an owner has begun to serve. */
  readonly began: () => void;
}

/**
 * `starting`: the log as it stood at the start of the epoch is not on all members yet, or promises stand against it.
 * `closed`: another owner or incarnation has the slot, for good.
 */
export type OwnerState = "starting" | "serving" | "closed";

/**
 * The owner of one slot in one epoch: decides writes, appends them, and answers when they are committed.
 *
 * - A write is decided against the last *appended* state (committed state plus pending records), under the write lock
 *   of its file. It is committed when it is on stable storage here and on all others of the effective in-sync set, and
 *   answered then, in LSN order.
 * - A read sees the committed state only, under the read lock of its file, and is answered only while all others of the
 *   effective in-sync set have promised not to serve.
 * - An answer that changes nothing waits for the record that it was decided on.
 * - One (node, incarnation) appends in an epoch; every record carries this epoch, the first one starts it.
 */
export class SlotOwner {
  readonly inSync: InSyncSet;
  /** What the members must have by now. */
  readonly due = new DueMarks();
  readonly #parts: OwnerParts;
  readonly #engine: Engine;
  readonly #pending: PendingRecords;
  readonly #deferrals: Deferrals;
  #state: OwnerState = "starting";
  #why = "the slot has just been given to this node";
  /** LSN of the record that starts the epoch; 0: it could not be appended yet. */
  #startLsn = 0;
  readonly #forgetting: ClientForgetting;
  /** Writes are held off until then, so that the slot can be handed over. */
  #heldUntilMs = 0;

  /** @param lineage see `SlotEntry.lineage`; 0: none */
  constructor(parts: OwnerParts, readonly slot: number, readonly epoch: number, readonly lineage = 0) {
    this.#parts = parts;
    this.#engine = parts.engine;
    this.#pending = new PendingRecords(parts.uncommitted);
    this.#forgetting = new ClientForgetting(parts.engine, slot, epoch, parts.clientsMax, this.#pending);
    this.#deferrals = new Deferrals(parts.clock);
    this.inSync = new InSyncSet(parts.self);
  }

  get state(): OwnerState {
    return this.#state;
  }

  /** Why the slot answers nothing, while it does not serve. */
  get why(): string {
    return this.#why;
  }

  get startLsn(): number {
    return this.#startLsn;
  }

  /** Whether a read would be answered now. */
  get canAnswer(): boolean {
    return this.#state === "serving" && this.#leaseHolds();
  }

  /** Nothing waits for its commit. */
  get idle(): boolean {
    return this.#pending.size === 0;
  }

  /** Takes up what a newer ring of the same epoch says. */
  adopt(entry: SlotEntry, followers: readonly NodeRef[]): void {
    this.inSync.adopt(entry, followers, this.#parts.clock.monotonicMs());
    this.advance();
    this.#tryDeferred();
  }

  /** All through `lsn` is on stable storage at the follower. */
  acked(follower: Follower, lsn: number, nowMs: number): void {
    if (lsn <= follower.ackedLsn) return;
    follower.ackedLsn = lsn;
    follower.ackedMs = nowMs;
  }

  /** The follower answered a heartbeat that was sent at this time. */
  promised(follower: Follower, sentMs: number, sentWallMs: number): void {
    const forMs = LEASE_SHARE * this.#parts.promises.promiseMs;
    this.inSync.promised(follower, sentMs + forMs, sentWallMs + forMs);
    if (this.#state === "starting") this.advance();
    this.#tryDeferred();
  }

  /** The owner of the epoch before has let go: no promise to anybody stands against this one any more. */
  released(): void {
    if (this.#state !== "starting") return;
    this.#parts.promises.release(this.slot);
    this.advance();
  }

  /** Holds writes off for a while. Reads go on. */
  hold(forMs: number): void {
    const { clock } = this.#parts;
    this.#heldUntilMs = clock.monotonicMs() + forMs;
    clock.after(forMs, () => this.#tryDeferred());
  }

  get held(): boolean {
    return this.#heldUntilMs > 0 && this.#parts.clock.monotonicMs() < this.#heldUntilMs;
  }

  /** Ends for good. What was appended and not answered may or may not survive: its outcome is unknown. */
  close(why: string): void {
    if (this.#state === "closed") return;
    this.#state = "closed";
    this.#why = why;
    const error = new KvError("outcome-unknown", `the write was under way in epoch ${this.epoch}: ${why}`, {
      slot: this.slot,
    });
    this.#fail(0, error);
    this.#deferrals.release();
  }

  /** Has an operation that was refused tried once more when there is a chance for it; false: there will be none soon. */
  defer(again: () => void): boolean {
    return this.#state !== "closed" && this.#deferrals.add(again);
  }

  /** The committed value. Throws `unavailable` while the slot does not serve, `damaged` when the value is. */
  read(key: string, hash: number): { value: Uint8Array; version: number } | undefined {
    const found = this.#state === "serving" ? this.#engine.read(this.slot, key, hash) : undefined;
    // After the value was taken: a promise that holds now held then.
    if (!this.canAnswer) throw this.#unavailable();
    return found;
  }

  /** Throws `unavailable` unless what was read of the committed state in this turn may be told. */
  checkAnswer(): void {
    if (!this.canAnswer) throw this.#unavailable();
  }

  /**
   * Decides and appends under the caller's write lock of the key's file; the waiter is answered later, or at once. While
   * the slot is not served, `again` may be kept instead, see {@link defer}.
   */
  write(request: WriteRequest, waiter: Waiter, again?: () => void): void {
    const refusal = this.#writeRefusal();
    if (refusal !== undefined) {
      if (again === undefined || !this.defer(again)) waiter.failed(refusal);
      return;
    }
    const { uncommitted } = this.#parts;
    // To wait here would only hold more.
    if (!uncommitted.mayTake(this.#pending.heldBytes)) return waiter.failed(this.#notNow(uncommitted.why));
    if (request.clientId !== "" && this.#answerRetry(request, waiter)) return;
    const before = this.#pending.last(request.key);
    const version = before === undefined
      ? this.#engine.versionOf(this.slot, request.key, request.hash)
      : before.exists
      ? before.lsn
      : 0;
    const outcome = decide(request, version);
    if (outcome !== Outcome.ConditionFailed && outcome !== Outcome.NotFound) {
      this.#append(request, outcome, waiter);
    } else if (request.retry && request.clientId !== "") {
      this.#appendNote(request, outcome, version, waiter);
    } else if (before === undefined) {
      waiter.done(outcome, version, this.epoch);
    } else {
      this.#pending.join(before, {
        done: () => waiter.done(outcome, version, this.epoch),
        failed: (error) => waiter.failed(error),
      });
    }
  }

  /** To be called after each sync, acknowledgement, promise and ring: commits what is in sync, and answers it. */
  advance(): void {
    if (this.#state === "closed" || (this.#state === "starting" && !this.#begin())) return;
    const throughLsn = this.inSync.ringMembers < this.#parts.minInSync ? 0 : this.#inSyncLsn();
    if (throughLsn <= this.#engine.slot(this.slot).committedLsn) return;
    this.#commit(throughLsn);
    for (;;) {
      const record = this.#pending.takeThrough(throughLsn);
      if (record === undefined) return;
      record.waiter.done(record.outcome, record.version, this.epoch);
      if (record.others === undefined) continue;
      for (const waiter of record.others) waiter.done(record.outcome, record.version, this.epoch);
    }
  }

  /** The log could not take the records from `fromLsn` on: they are as if they had never been appended. */
  rejected(fromLsn: number, error: KvError): void {
    if (fromLsn <= this.#startLsn) this.#startLsn = 0;
    this.#forgetting.rejected(fromLsn);
    this.#fail(fromLsn, error);
  }

  /** The record with this LSN, if it is still in memory. */
  recordAt(lsn: number): LogRecord | undefined {
    const { committedLsn, tail } = this.#engine.slot(this.slot);
    if (lsn > committedLsn) return tail[lsn - committedLsn - 1];
    return this.#parts.recent.at(this.slot, lsn);
  }

  /** The log is on all members as it stood when the epoch began, and nobody else can answer: then it begins to serve. */
  #begin(): boolean {
    if (this.#startLsn === 0 && !this.#startEpoch()) return false;
    const { clock, promises } = this.#parts;
    if (this.#inSyncLsn() < this.#startLsn || !this.#leaseHolds()) return false;
    if (clock.monotonicMs() < promises.notBeforeMs(this.slot)) return false;
    promises.entitle(this.slot, this.epoch);
    this.#state = "serving";
    this.#why = "";
    // Even below minInSync: it may have been acknowledged in an earlier epoch.
    this.#commit(this.#startLsn);
    this.#parts.began();
    this.#tryDeferred();
    return true;
  }

  #tryDeferred(): void {
    if (this.#deferrals.size > 0 && this.canAnswer && !this.held) this.#deferrals.release();
  }

  #startEpoch(): boolean {
    const lsn = this.#engine.slot(this.slot).lastLsn + 1;
    try {
      this.#engine.append(epochRecord(this.slot, this.epoch, lsn));
      this.#startLsn = lsn;
      return true;
    } catch (error) {
      if (!(error instanceof KvError)) throw error;
      this.#why = error.message;
      return false;
    }
  }

  /** Through which LSN everything is on stable storage on all members. */
  #inSyncLsn(): number {
    return Math.min(this.#engine.slot(this.slot).durableLsn, this.inSync.ackedLsn());
  }

  #commit(throughLsn: number): void {
    const records = this.#engine.commit(this.slot, throughLsn);
    if (this.inSync.followers.length > 0) this.#parts.recent.add(this.slot, records);
  }

  #leaseHolds(): boolean {
    const { leaseUntilMs, leaseUntilWallMs } = this.inSync;
    if (leaseUntilMs === Infinity) return true;
    const { clock } = this.#parts;
    const nowMs = clock.monotonicMs();
    const wallMs = clock.wallMs();
    // The wall clock too: a machine that was suspended has a monotonic clock that stood still. And if somebody has set
    // the wall clock since the promises were given, it does not tell for how long.
    const apartMs = (wallMs - nowMs) - (leaseUntilWallMs - leaseUntilMs);
    return nowMs < leaseUntilMs && wallMs < leaseUntilWallMs && Math.abs(apartMs) <= CLOCKS_APART_MS;
  }

  #writeRefusal(): KvError | undefined {
    if (!this.canAnswer) return this.#unavailable();
    if (this.held) return this.#notNow("it is being handed over");
    const { ringMembers } = this.inSync;
    if (ringMembers >= this.#parts.minInSync) return undefined;
    return this.#notNow(
      `${ringMembers} of its copies are in sync, and minInSync asks for ${this.#parts.minInSync}`,
    );
  }

  #fail(fromLsn: number, error: KvError): void {
    for (const record of this.#pending.takeFrom(fromLsn)) {
      tellWaiters(record, (waiter) => waiter.failed(error));
    }
  }

  #answerRetry(request: WriteRequest, waiter: Waiter): boolean {
    return answerRetry(this.#engine, this.slot, this.#pending, request, waiter, this.#forgetting.underWay);
  }

  #append(request: WriteRequest, outcome: Outcome, waiter: Waiter): void {
    const { key, hash, value, kind } = request;
    const put = kind === "put";
    this.#appendOrFail(request, waiter, (lsn) => {
      const { clientId, sequence } = request;
      this.#engine.append({
        kind: put ? RecordKind.Put : RecordKind.Delete,
        slot: this.slot,
        epoch: this.epoch,
        lsn,
        key,
        hash,
        value: put ? value : EMPTY,
        clientId,
        sequence,
        lowestUnfinished: this.#lowestKept(request),
        outcome,
      });
      return newPending(lsn, key, put, outcome, lsn, request, waiter);
    });
  }

  /**
   * A retry that changes nothing is logged all the same: an earlier sending of it may still be on its way, and must
   * find this answer instead of being executed after it was given.
   */
  #appendNote(request: WriteRequest, outcome: Outcome, version: number, waiter: Waiter): void {
    this.#appendOrFail(request, waiter, (lsn) => {
      const lowest = this.#lowestKept(request);
      this.#engine.append(noteRecord(this.slot, this.epoch, lsn, version, outcome, request, lowest));
      return newPending(lsn, "", false, outcome, version, request, waiter);
    });
  }

  #lowestKept(request: WriteRequest): number {
    return lowestKept(this.#engine.sessions(this.slot), request);
  }

  #appendOrFail(
    { clientId, value }: WriteRequest,
    waiter: Waiter,
    append: (lsn: number) => PendingRecord,
  ): void {
    try {
      this.#forgetting.keepWithinBound(clientId);
      this.#pending.add(append(this.#engine.slot(this.slot).lastLsn + 1), value.length);
    } catch (error) {
      if (!(error instanceof KvError)) throw error;
      waiter.failed(error);
    }
  }

  #unavailable(): KvError {
    if (this.#state !== "serving") return this.#notNow(this.#why);
    const missing = this.inSync.effective.filter(({ promisedUntilMs }) =>
      promisedUntilMs <= this.#parts.clock.monotonicMs()
    );
    return this.#notNow(`it waits for the copy on node ${missing[0]?.ref.id ?? "?"}`);
  }

  #notNow(why: string): KvError {
    return new KvError("unavailable", `slot ${this.slot} is not served now: ${why}`, { slot: this.slot });
  }
}
