import { type LogRecord, RecordKind } from "../../core/storage/engine.ts";
import { textOf } from "./storage_world.ts";

/** The naive twin of the storage: keeps every slot's log, and works everything out of it anew each time. */
export class Twin {
  readonly #logs = new Map<number, LogRecord[]>();

  append(record: LogRecord): void {
    const log = this.#logs.get(record.slot) ?? [];
    if (record.kind === RecordKind.Truncate) log.length = record.lsn;
    else log.push(record);
    this.#logs.set(record.slot, log);
  }

  /** What the engine must hold when all its records are committed; compare with `contentOf`. */
  content(): string {
    const slots: unknown[] = [];
    for (const [slot, log] of [...this.#logs].sort((a, b) => a[0] - b[0])) {
      if (log.length === 0) continue;
      const entries = new Map<string, [string, number, string]>();
      for (const { kind, key, value, lsn } of log) {
        if (kind === RecordKind.Put) entries.set(key, [key, lsn, textOf(value)]);
        if (kind === RecordKind.Delete) entries.delete(key);
      }
      const { forgotten, clients } = sessionsOf(log);
      slots.push([
        slot,
        log.length,
        log[log.length - 1]!.epoch,
        [...entries.values()].sort(),
        forgotten,
        clients,
      ]);
    }
    return JSON.stringify(slots);
  }
}

function sessionsOf(log: readonly LogRecord[]) {
  const clients = new Map<string, { lowest: number; results: Map<number, unknown> }>();
  let forgotten = "";
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
