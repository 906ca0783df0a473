import { type LogRecord, RecordKind } from "../../core/storage/engine.ts";
import { sessionsFromBytes } from "../../core/storage/session_bytes.ts";
import { textOf } from "./storage_world.ts";

type Entries = Map<string, [key: string, version: number, value: string]>;

/** What a slot holds behind its last snapshot, or at the start. */
interface Base {
  readonly lsn: number;
  readonly epoch: number;
  readonly entries: Entries;
  readonly forgotten: string;
  /** As `ClientSessions.saved` has them. */
  readonly clients: readonly unknown[];
}

interface Slot {
  base: Base;
  /** What came behind the base. */
  log: LogRecord[];
  /** What the snapshot has named that is being taken in. */
  named: Entries | undefined;
  results: Uint8Array;
}

const NOTHING: Base = { lsn: 0, epoch: 0, entries: new Map(), forgotten: "", clients: [] };

/** The naive twin of the storage: keeps every slot's log, and works everything out of it anew each time. */
export class Twin {
  readonly #slots = new Map<number, Slot>();

  /** @param committedLsn of the slot, through which a snapshot finds the copy */
  append(record: LogRecord, committedLsn: number): void {
    const { slot: number, kind, lsn, epoch, key, value } = record;
    const slot = this.#slot(number);
    if (kind === RecordKind.Truncate) slot.log.length = lsn - slot.base.lsn;
    else if (kind === RecordKind.SnapshotBegin) {
      slot.log.length = committedLsn - slot.base.lsn;
      slot.base = record.sequence === 0 ? NOTHING : folded(slot.base, slot.log);
      slot.log = [];
      slot.named = new Map();
      slot.results = value;
    } else if (kind === RecordKind.SnapshotResults) {
      slot.results = Uint8Array.of(...slot.results, ...value);
    } else if (kind === RecordKind.SnapshotPut) slot.named!.set(key, [key, lsn, textOf(value)]);
    else if (kind === RecordKind.SnapshotKeep) slot.named!.set(key, slot.base.entries.get(key)!);
    else if (kind === RecordKind.SnapshotEnd) {
      const { forgotten, clients } = sessionsFromBytes(slot.results);
      slot.base = { lsn, epoch, entries: slot.named!, forgotten, clients };
      slot.named = undefined;
    } else slot.log.push(record);
  }

  /** The slot's entries when it is committed through `lsn`; undefined while it is incomplete. */
  entries(number: number, lsn: number): Entries | undefined {
    const { base, log, named } = this.#slot(number);
    return named === undefined ? folded(base, log.slice(0, lsn - base.lsn)).entries : undefined;
  }

  /** What the engine must hold when all its records are committed; compare with `contentOf`. */
  content(): string {
    const slots: unknown[] = [];
    for (const [number, slot] of [...this.#slots].sort((a, b) => a[0] - b[0])) {
      const { lsn, epoch, entries, forgotten, clients } = folded(slot.base, slot.log);
      if (slot.named !== undefined) slots.push([number, lsn, "incomplete"]);
      else if (lsn > 0) slots.push([number, lsn, epoch, [...entries.values()].sort(), forgotten, clients]);
    }
    return JSON.stringify(slots);
  }

  #slot(number: number): Slot {
    let slot = this.#slots.get(number);
    if (slot === undefined) {
      slot = { base: NOTHING, log: [], named: undefined, results: new Uint8Array(0) };
      this.#slots.set(number, slot);
    }
    return slot;
  }
}

function folded(base: Base, log: readonly LogRecord[]): Base {
  if (log.length === 0) return base;
  const entries = new Map(base.entries);
  for (const { kind, key, value, lsn } of log) {
    if (kind === RecordKind.Put) entries.set(key, [key, lsn, textOf(value)]);
    if (kind === RecordKind.Delete) entries.delete(key);
  }
  const { lsn, epoch } = log[log.length - 1]!;
  return { lsn, epoch, entries, ...sessionsOf(base, log) };
}

function sessionsOf(base: Base, log: readonly LogRecord[]) {
  const clients = new Map<string, { lowest: number; results: Map<number, unknown> }>();
  for (const each of base.clients) {
    const [id, lowest, results] = each as [string, number, [number, unknown][]];
    clients.set(id, { lowest, results: new Map(results) });
  }
  let { forgotten } = base;
  for (const { kind, clientId, sequence, lowestUnfinished, lsn, epoch, outcome, value } of log) {
    if (kind === RecordKind.Forget) {
      for (const id of textOf(value).match(/.{16}/gs) ?? []) clients.delete(id);
      if (clientId > forgotten) forgotten = clientId;
    } else if (clientId !== "") {
      const client = clients.get(clientId) ?? { lowest: 0, results: new Map() };
      clients.set(clientId, client);
      if (sequence > 0) client.results.set(sequence, { lsn, epoch, outcome });
      client.lowest = Math.max(client.lowest, lowestUnfinished);
    }
  }
  const saved = [...clients].sort((a, b) => a[0] < b[0] ? -1 : 1).map(([id, { lowest, results }]) => {
    return [id, lowest, [...results].filter(([sequence]) => sequence >= lowest).sort((a, b) => a[0] - b[0])];
  });
  return { forgotten, clients: saved };
}
