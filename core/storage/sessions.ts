import { type LogRecord, noteVersion, RecordKind } from "./record.ts";
import { fnv1a32Binary } from "../ring/hash.ts";
import { mix, Results, type WriteResult } from "./results.ts";
import type { SavedSessions } from "./session_bytes.ts";

export type { WriteResult } from "./results.ts";

export interface ClientSession {
  /** Results below are gone: a retry of such a sequence has an unknown outcome. */
  readonly lowestUnfinished: number;
  /** LSN of its last record; after a restart or a snapshot that of its last result. Tells which clients are idle. */
  readonly lastLsn: number;
}

interface Session extends ClientSession {
  lowestUnfinished: number;
  lastLsn: number;
  /** None below `lowestUnfinished`. */
  readonly results: Results;
}

export const CLIENT_ID_BYTES = 16;

/**
 * The dedupe state of a slot: what every client's unfinished writes were answered. It is a function of the committed
 * records alone, so all copies of a slot agree on it.
 */
export class ClientSessions {
  readonly #clients = new Map<string, Session>();
  #forgotten = "";

  /** The largest client id ever dropped; a client without an entry whose id is not above has been forgotten. */
  get forgotten(): string {
    return this.#forgotten;
  }

  get size(): number {
    return this.#clients.size;
  }

  get(clientId: string): ClientSession | undefined {
    return this.#clients.get(clientId);
  }

  entries(): Iterable<[string, ClientSession]> {
    return this.#clients.entries();
  }

  /** The result of a write that was applied; undefined when there is none (any more). */
  result(clientId: string, sequence: number): WriteResult | undefined {
    const session = this.#clients.get(clientId);
    if (session === undefined || sequence < session.lowestUnfinished) return undefined;
    return session.results.get(sequence);
  }

  /** The sequence of the client's `count`-th latest result; 0 when it has no so many. */
  latest(clientId: string, count: number): number {
    return this.#clients.get(clientId)?.results.latest(count) ?? 0;
  }

  /** Takes what a committed record says about its client. */
  apply(record: LogRecord): void {
    if (record.clientId === "") return;
    if (record.kind === RecordKind.Forget) return this.#forget(record);
    let session = this.#clients.get(record.clientId);
    if (session === undefined) {
      session = { lowestUnfinished: 0, lastLsn: 0, results: new Results() };
      this.#clients.set(record.clientId, session);
    }
    const { epoch, outcome } = record;
    const lsn = record.kind === RecordKind.Note ? noteVersion(record.value) : record.lsn;
    session.lastLsn = record.lsn;
    const asked = record.sequence > 0 && record.sequence >= session.lowestUnfinished;
    if (asked) session.results.set(record.sequence, { lsn, epoch, outcome });
    if (record.lowestUnfinished <= session.lowestUnfinished) return;
    session.lowestUnfinished = record.lowestUnfinished;
    session.results.dropBelow(record.lowestUnfinished);
  }

  /** Becomes what a checkpoint or a snapshot holds. */
  replace({ forgotten, clients }: SavedSessions): void {
    this.#forgotten = forgotten;
    this.#clients.clear();
    for (const [id, lowestUnfinished, saved] of clients) {
      const results = new Results();
      let lastLsn = 0;
      for (const [sequence, result] of saved) {
        results.set(sequence, result);
        lastLsn = Math.max(lastLsn, result.lsn);
      }
      this.#clients.set(id, { lowestUnfinished, lastLsn, results });
    }
  }

  /** The state as it is saved: clients in order of id, results that still count in order of sequence. */
  *saved(): Generator<[clientId: string, lowestUnfinished: number, results: [number, WriteResult][]]> {
    for (const id of [...this.#clients.keys()].sort()) {
      const session = this.#clients.get(id)!;
      yield [id, session.lowestUnfinished, session.results.entries()];
    }
  }

  /** Sum over the clients of what is kept of each: equal states have equal digests. */
  digest(): number {
    let sum = fnv1a32Binary(this.#forgotten);
    for (const [id, { lowestUnfinished, results }] of this.#clients) {
      sum += results.digest(mix(fnv1a32Binary(id), lowestUnfinished));
    }
    return sum % 2 ** 32;
  }

  #forget(record: LogRecord): void {
    for (let i = 0; i + CLIENT_ID_BYTES <= record.value.length; i += CLIENT_ID_BYTES) {
      this.#clients.delete(String.fromCharCode(...record.value.subarray(i, i + CLIENT_ID_BYTES)));
    }
    if (record.clientId > this.#forgotten) this.#forgotten = record.clientId;
  }
}
