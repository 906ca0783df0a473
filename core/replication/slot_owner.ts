import { bytesFromBinary } from "../platform/binary.ts";
import { KvError } from "../platform/errors.ts";
import { timeOfUuidV7 } from "../platform/random.ts";
import type { Engine } from "../storage/engine.ts";
import { RecordKind } from "../storage/record.ts";
import { addWaiter, type PendingRecord, PendingRecords, tellWaiters } from "./pending.ts";
import { chooseForgotten, forgetRecord, noteRecord } from "./bookkeeping.ts";
import { Outcome, type Waiter, type WriteRequest } from "./write.ts";

const EMPTY = new Uint8Array(0);

/**
 * `starting`: the log as it stood at the start of the epoch is not committed yet. `frozen`: the slot is being given
 * away and answers nothing until a newer ring decides. `closed`: another owner or incarnation has it, for good.
 */
export type OwnerState = "starting" | "serving" | "frozen" | "closed";

/**
 * The owner of one slot in one epoch: decides writes, appends them, and answers when they are committed.
 *
 * - A write is decided against the last *appended* state (committed state plus pending records), under the write lock
 *   of its file, and answered when its record is committed, in LSN order.
 * - A read sees the committed state only, under the read lock of its file.
 * - An answer that changes nothing waits for the record that it was decided on.
 * - One (node, incarnation) appends in an epoch; every record carries this epoch.
 */
export class SlotOwner {
  readonly #engine: Engine;
  readonly #pending = new PendingRecords();
  #state: OwnerState = "starting";
  #why = "the slot has just been given to this node";
  /** The last record that dropped idle clients; until it is committed there is no further one. */
  #forgetLsn = 0;

  constructor(
    engine: Engine,
    readonly slot: number,
    readonly epoch: number,
    private readonly clientsMax: number,
  ) {
    this.#engine = engine;
  }

  get state(): OwnerState {
    return this.#state;
  }

  /** Why the slot answers nothing, while it does not serve. */
  get why(): string {
    return this.#why;
  }

  /** Whether a record was ever appended: such a slot cannot change hands without moving data. */
  get written(): boolean {
    return this.#engine.slot(this.slot).lastLsn > 0;
  }

  /** Looks whether the log found at the start is durable, commits it and begins to serve. */
  begin(): void {
    if (this.#state !== "starting") return;
    const log = this.#engine.slot(this.slot);
    if (log.durableLsn < log.lastLsn) return;
    this.#engine.commit(this.slot, log.lastLsn);
    this.#state = "serving";
    this.#why = "";
  }

  /** Stops to answer; only {@link thaw} or {@link close} follow. */
  freeze(why: string): void {
    if (this.#state !== "serving") return;
    this.#state = "frozen";
    this.#why = why;
  }

  thaw(): void {
    if (this.#state !== "frozen") return;
    this.#state = "serving";
    this.#why = "";
  }

  /** Ends for good. What was appended and not answered may or may not survive: its outcome is unknown. */
  close(why: string): void {
    this.#state = "closed";
    this.#why = why;
    const error = new KvError("outcome-unknown", `the write was under way in epoch ${this.epoch}: ${why}`, {
      slot: this.slot,
    });
    this.#fail(0, error);
  }

  /** The committed value. Throws `unavailable` while the slot does not serve, `damaged` when the value is. */
  read(key: string, hash: number): { value: Uint8Array; version: number } | undefined {
    if (this.#state !== "serving") throw this.#unavailable();
    return this.#engine.read(this.slot, key, hash);
  }

  /** Decides and appends under the caller's write lock of the key's file; the waiter is answered later, or at once. */
  write(request: WriteRequest, waiter: Waiter): void {
    if (this.#state !== "serving") return waiter.failed(this.#unavailable());
    if (request.clientId !== "" && this.#answerRetry(request, waiter)) return;
    const before = this.#pending.last(request.key);
    const version = before === undefined
      ? this.#engine.versionOf(this.slot, request.key)
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
      addWaiter(before, {
        done: () => waiter.done(outcome, version, this.epoch),
        failed: (error) => waiter.failed(error),
      });
    }
  }

  /** To be called after each sync: commits what became durable, and answers it. */
  durable(): void {
    if (this.#state === "starting") this.begin();
    if (this.#state === "closed" || this.#pending.size === 0) return;
    const throughLsn = this.#engine.slot(this.slot).durableLsn;
    this.#engine.commit(this.slot, throughLsn);
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
    this.#fail(fromLsn, error);
  }

  #fail(fromLsn: number, error: KvError): void {
    for (const record of this.#pending.takeFrom(fromLsn)) {
      tellWaiters(record, (waiter) => waiter.failed(error));
    }
  }

  /** Answers a write that this slot has seen before; false when it is new and may be executed. */
  #answerRetry(request: WriteRequest, waiter: Waiter): boolean {
    const { clientId, sequence } = request;
    const pending = this.#pending.ofWrite(clientId, sequence);
    if (pending !== undefined) {
      addWaiter(pending, waiter);
      return true;
    }
    const sessions = this.#engine.sessions(this.slot);
    const client = sessions.get(clientId);
    if (client === undefined) {
      if (clientId > sessions.forgotten || this.#pending.hasClient(clientId)) return false;
      waiter.failed(this.#forgotten(request.retry));
      return true;
    }
    const result = sessions.result(clientId, sequence);
    if (result !== undefined) {
      waiter.done(result.outcome, result.lsn, result.epoch);
      return true;
    }
    if (sequence >= client.lowestUnfinished) return false;
    waiter.failed(this.#forgotten(true));
    return true;
  }

  #forgotten(retry: boolean): KvError {
    return retry
      ? new KvError("outcome-unknown", "the result of this write is no longer kept", { slot: this.slot })
      : new KvError("client-forgotten", "the client was idle for too long; nothing was done", {
        slot: this.slot,
        clientIdAboveMs: timeOfUuidV7(bytesFromBinary(this.#engine.sessions(this.slot).forgotten)),
      });
  }

  #append(request: WriteRequest, outcome: Outcome, waiter: Waiter): void {
    const { key, hash, value, kind } = request;
    const put = kind === "put";
    this.#appendOrFail(waiter, (lsn) => {
      const { clientId, sequence, lowestUnfinished } = request;
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
        lowestUnfinished,
        outcome,
      });
      return { lsn, key, exists: put, outcome, version: lsn, clientId, sequence, waiter, others: undefined };
    });
  }

  /**
   * A retry that changes nothing is logged all the same: an earlier sending of it may still be on its way, and must
   * find this answer instead of being executed after it was given.
   */
  #appendNote(request: WriteRequest, outcome: Outcome, version: number, waiter: Waiter): void {
    const { clientId, sequence } = request;
    this.#appendOrFail(waiter, (lsn) => {
      this.#engine.append(noteRecord(this.slot, this.epoch, lsn, version, outcome, request));
      return { lsn, key: "", exists: false, outcome, version, clientId, sequence, waiter, others: undefined };
    });
  }

  #appendOrFail(waiter: Waiter, append: (lsn: number) => PendingRecord): void {
    try {
      this.#forgetSomeClients();
      this.#pending.add(append(this.#engine.slot(this.slot).lastLsn + 1));
    } catch (error) {
      if (!(error instanceof KvError)) throw error;
      waiter.failed(error);
    }
  }

  /** Keeps the number of clients whose results are remembered within the bound, by a logged record. */
  #forgetSomeClients(): void {
    const sessions = this.#engine.sessions(this.slot);
    const log = this.#engine.slot(this.slot);
    if (sessions.size <= this.clientsMax || log.committedLsn < this.#forgetLsn) return;
    const dropped = chooseForgotten(sessions, this.clientsMax, (id) => this.#pending.hasClient(id));
    if (dropped.length === 0) return;
    this.#forgetLsn = log.lastLsn + 1;
    this.#engine.append(forgetRecord(this.slot, this.epoch, this.#forgetLsn, dropped));
  }

  #unavailable(): KvError {
    return new KvError("unavailable", `slot ${this.slot} is not served now: ${this.#why}`, {
      slot: this.slot,
    });
  }
}

function decide(request: WriteRequest, version: number): Outcome {
  const { condition } = request;
  if (condition !== undefined) {
    const holds = "absent" in condition ? version === 0 : version === condition.version && version > 0;
    if (!holds) return Outcome.ConditionFailed;
  }
  if (request.kind === "put") return version === 0 ? Outcome.Created : Outcome.Updated;
  return version === 0 ? Outcome.NotFound : Outcome.Deleted;
}
