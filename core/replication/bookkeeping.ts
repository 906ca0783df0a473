/** Records that change no key: what is remembered of clients' writes, and what is forgotten. */

import { bytesFromBinary } from "../platform/binary.ts";
import { RESULTS_MAX } from "../platform/limits.ts";
import { type LogRecord, noteValue, RecordKind } from "../storage/record.ts";
import type { ClientSessions } from "../storage/sessions.ts";
import type { WriteRequest } from "./write.ts";

const EMPTY = new Uint8Array(0);
/** Clients that one record drops, at most: it has to fit into a message. */
const FORGOTTEN_MAX = 1 << 16;

/** A record without key and client. */
function bare(slot: number, epoch: number, lsn: number) {
  return { slot, epoch, lsn, key: "", hash: 0, sequence: 0, lowestUnfinished: 0, outcome: 0 };
}

/**
 * From which sequence on the client's results are kept behind a record of this write. It is for the client to say what
 * it has finished; of one that does not, no more than {@link RESULTS_MAX} are kept.
 */
export function lowestKept(
  sessions: ClientSessions,
  { clientId, lowestUnfinished }: Pick<WriteRequest, "clientId" | "lowestUnfinished">,
): number {
  const isFull = sessions.latest(clientId, RESULTS_MAX) > 0;
  return isFull ? Math.max(lowestUnfinished, sessions.latest(clientId, RESULTS_MAX / 2)) : lowestUnfinished;
}

/** Starts an epoch: the logs of two owners always part at such a record. */
export function epochRecord(slot: number, epoch: number, lsn: number): LogRecord {
  return { ...bare(slot, epoch, lsn), kind: RecordKind.EpochStart, value: EMPTY, clientId: "" };
}

/** Keeps the answer of a write that changed nothing. */
export function noteRecord(
  slot: number,
  epoch: number,
  lsn: number,
  version: number,
  outcome: number,
  { clientId, sequence }: WriteRequest,
  lowestUnfinished: number,
): LogRecord {
  const value = noteValue(version);
  const kind = RecordKind.Note;
  return { ...bare(slot, epoch, lsn), kind, value, clientId, sequence, lowestUnfinished, outcome };
}

/** Drops the clients; `dropped` are their ids, at least one. */
export function forgetRecord(
  slot: number,
  epoch: number,
  lsn: number,
  dropped: readonly string[],
): LogRecord {
  const largest = dropped.reduce((a, b) => (a > b ? a : b));
  const value = bytesFromBinary(dropped.join(""));
  return { ...bare(slot, epoch, lsn), kind: RecordKind.Forget, value, clientId: largest };
}

/**
 * The clients to forget so that half of `clientsMax` stay, or as many as go into one record: the longest idle ones that
 * wait for nothing.
 */
export function chooseForgotten(
  sessions: ClientSessions,
  clientsMax: number,
  busy: (clientId: string) => boolean,
): string[] {
  const idle = [...sessions.entries()].filter(([id]) => !busy(id));
  idle.sort(([, a], [, b]) => a.lastLsn - b.lastLsn);
  const excess = sessions.size - Math.floor(clientsMax / 2);
  return idle.slice(0, Math.max(0, Math.min(excess, FORGOTTEN_MAX))).map(([id]) => id);
}
