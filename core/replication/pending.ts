import type { Uncommitted } from "./uncommitted.ts";
import type { Waiter, WriteRequest } from "./write.ts";

/** While there are more clients, those that wait for nothing are not remembered. */
const IDLE_CLIENTS_MAX = 16;

/** A record that was appended and is not committed yet. */
export interface PendingRecord {
  readonly lsn: number;
  /** Binary string; "" for a record that changes no key. */
  readonly key: string;
  /** Whether the key has a value after this record. */
  readonly exists: boolean;
  readonly outcome: number;
  /** The version that the answer carries: the record's LSN, or the present value's where nothing is changed. */
  readonly version: number;
  readonly clientId: string;
  readonly sequence: number;
  readonly waiter: Waiter;
  /** Taken of {@link Uncommitted}; 0 before it is added. */
  heldBytes: number;
  /** Retries of the same write, and answers that change nothing and were decided on the state this record makes. */
  others: Waiter[] | undefined;
}

/** The record that a write made. */
export function newPending(
  lsn: number,
  key: string,
  exists: boolean,
  outcome: number,
  version: number,
  { clientId, sequence }: WriteRequest,
  waiter: Waiter,
): PendingRecord {
  return { lsn, key, exists, outcome, version, clientId, sequence, waiter, heldBytes: 0, others: undefined };
}

/** Calls `tell` for everybody who waits for the record. */
export function tellWaiters(record: PendingRecord, tell: (waiter: Waiter) => void): void {
  tell(record.waiter);
  record.others?.forEach(tell);
}

/** A slot's records between append and commit: what is decided on, and who waits for it. */
export class PendingRecords {
  /** In LSN order; those before `#head` are gone. */
  #queue: PendingRecord[] = [];
  #head = 0;
  /** The last record of each key. */
  readonly #byKey = new Map<string, PendingRecord>();
  readonly #byWriteId = new Map<string, Map<number, PendingRecord>>();

  /** Sum over the records. */
  heldBytes = 0;

  constructor(private readonly uncommitted: Uncommitted) {}

  get size(): number {
    return this.#queue.length - this.#head;
  }

  last(key: string): PendingRecord | undefined {
    return this.#byKey.get(key);
  }

  ofWrite(clientId: string, sequence: number): PendingRecord | undefined {
    return this.#byWriteId.get(clientId)?.get(sequence);
  }

  hasClient(clientId: string): boolean {
    return (this.#byWriteId.get(clientId)?.size ?? 0) > 0;
  }

  add(record: PendingRecord, valueBytes: number): void {
    this.#hold(record, record.key.length + valueBytes);
    this.#queue.push(record);
    if (record.key !== "") this.#byKey.set(record.key, record);
    if (record.clientId === "") return;
    const writes = this.#byWriteId.get(record.clientId);
    if (writes === undefined) this.#byWriteId.set(record.clientId, new Map([[record.sequence, record]]));
    else writes.set(record.sequence, record);
  }

  /** Somebody more who waits for the record. */
  join(record: PendingRecord, waiter: Waiter): void {
    this.#hold(record, 0);
    if (record.others === undefined) record.others = [waiter];
    else record.others.push(waiter);
  }

  /** Takes out the oldest record when its LSN is `throughLsn` or below. */
  takeThrough(throughLsn: number): PendingRecord | undefined {
    const record = this.#queue[this.#head];
    if (record === undefined || record.lsn > throughLsn) return undefined;
    this.#head++;
    if (this.#head === this.#queue.length || this.#head > 4096) {
      this.#queue = this.#queue.slice(this.#head);
      this.#head = 0;
    }
    this.#forget(record);
    return record;
  }

  /** Takes out all records from `fromLsn` on, oldest first. */
  takeFrom(fromLsn: number): PendingRecord[] {
    const rest = this.#queue.slice(this.#head);
    const taken = rest.filter((record) => record.lsn >= fromLsn);
    this.#queue = rest.filter((record) => record.lsn < fromLsn);
    this.#head = 0;
    for (const record of taken) this.#forget(record);
    for (const record of this.#queue) {
      if (record.key !== "") this.#byKey.set(record.key, record);
    }
    return taken;
  }

  #hold(record: PendingRecord, contentBytes: number): void {
    const bytes = this.uncommitted.take(contentBytes);
    record.heldBytes += bytes;
    this.heldBytes += bytes;
  }

  #forget(record: PendingRecord): void {
    this.uncommitted.giveBack(record.heldBytes);
    this.heldBytes -= record.heldBytes;
    if (this.#byKey.get(record.key) === record) this.#byKey.delete(record.key);
    const writes = this.#byWriteId.get(record.clientId);
    if (writes === undefined) return;
    writes.delete(record.sequence);
    // Most clients write again soon, and a new map for each write costs more than the rest of it.
    if (writes.size === 0 && this.#byWriteId.size > IDLE_CLIENTS_MAX) this.#byWriteId.delete(record.clientId);
  }
}
