import { ByteReader, ByteWriter } from "./byte_io.ts";
import type { ClientSessions, WriteResult } from "./sessions.ts";

/** What is remembered of one client, as it is saved; the results in order of sequence. */
export type SavedClient = readonly [
  id: string,
  lowestUnfinished: number,
  results: readonly (readonly [sequence: number, result: WriteResult])[],
];

/** What is remembered of a slot's clients, as checkpoints and snapshots hold it; the clients in order of id. */
export interface SavedSessions {
  readonly forgotten: string;
  readonly clients: readonly SavedClient[];
}

/** What checkpoints and snapshots hold of the sessions as they are now. */
export function savedSessions(sessions: ClientSessions): SavedSessions {
  return { forgotten: sessions.forgotten, clients: [...sessions.saved()] };
}

/** Appends what {@link readSessions} reads. */
export function writeSessions({ forgotten, clients }: SavedSessions, out: ByteWriter): void {
  out.text(forgotten);
  out.u32(clients.length);
  for (const [id, lowest, results] of clients) {
    out.text(id);
    out.f64(lowest);
    out.u32(results.length);
    for (const [sequence, { lsn, epoch, outcome }] of results) {
      out.f64(sequence);
      out.f64(lsn);
      out.f64(epoch);
      out.u8(outcome);
    }
  }
}

/** Reads what {@link writeSessions} appended. */
export function readSessions(from: ByteReader): SavedSessions {
  const forgotten = from.text();
  const clients = from.times(from.u32(), (): SavedClient => {
    const id = from.text();
    const lowest = from.f64();
    const results = from.times(from.u32(), () => {
      const sequence = from.f64();
      return [sequence, { lsn: from.f64(), epoch: from.f64(), outcome: from.u8() }] as const;
    });
    return [id, lowest, results];
  });
  return { forgotten, clients };
}

/** The value of a SnapshotBegin. */
export function sessionsToBytes(sessions: ClientSessions): Uint8Array {
  const out = new ByteWriter();
  writeSessions(savedSessions(sessions), out);
  return out.take();
}

/** Of no bytes: nothing is remembered. */
export function sessionsFromBytes(bytes: Uint8Array): SavedSessions {
  return bytes.length === 0 ? { forgotten: "", clients: [] } : readSessions(new ByteReader(bytes));
}
