import type { Engine } from "../storage/engine.ts";
import { chooseForgotten, forgetRecord } from "./bookkeeping.ts";
import type { PendingRecords } from "./pending.ts";
import type { Forgetting } from "./retries.ts";

/** Keeps the number of clients whose results a slot remembers within the bound, by logged records of its owner. */
export class ClientForgetting {
  /** The last record that dropped clients; until it is committed there is no further one. */
  #last: Forgetting | undefined;

  constructor(
    private readonly engine: Engine,
    private readonly slot: number,
    private readonly epoch: number,
    private readonly clientsMax: number,
    private readonly pending: PendingRecords,
  ) {}

  /** Clients that a record drops which is not committed yet. */
  get underWay(): Forgetting | undefined {
    const { committedLsn } = this.engine.slot(this.slot);
    return this.#last !== undefined && this.#last.lsn > committedLsn ? this.#last : undefined;
  }

  /** `besides`: the client whose write is about to follow, which would come back without its other results. */
  keepWithinBound(besides: string): void {
    const sessions = this.engine.sessions(this.slot);
    if (sessions.size <= this.clientsMax || this.underWay !== undefined) return;
    const isBusy = (id: string) => id === besides || this.pending.hasClient(id);
    const dropped = chooseForgotten(sessions, this.clientsMax, isBusy);
    if (dropped.length === 0) return;
    const record = forgetRecord(this.slot, this.epoch, this.engine.slot(this.slot).lastLsn + 1, dropped);
    this.engine.append(record);
    this.#last = { lsn: record.lsn, ids: new Set(dropped), largest: record.clientId };
  }

  /** The records from this one on are as if they had never been appended. */
  rejected(fromLsn: number): void {
    if (this.#last !== undefined && fromLsn <= this.#last.lsn) this.#last = undefined;
  }
}
