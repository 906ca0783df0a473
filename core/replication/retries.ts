import { bytesFromBinary } from "../platform/binary.ts";
import { KvError } from "../platform/errors.ts";
import { timeOfUuidV7 } from "../platform/random.ts";
import type { Engine } from "../storage/engine.ts";
import type { PendingRecords } from "./pending.ts";
import type { Waiter, WriteRequest } from "./write.ts";

/** Clients that a record drops which is not committed yet. */
export interface Forgetting {
  readonly lsn: number;
  readonly ids: ReadonlySet<string>;
  /** The largest of them. */
  readonly largest: string;
}

/**
 * Answers a write that the slot has seen before, from what is pending or remembered; false when it is new and may be
 * executed.
 */
export function answerRetry(
  engine: Engine,
  slot: number,
  pending: PendingRecords,
  request: WriteRequest,
  waiter: Waiter,
  forgetting: Forgetting | undefined,
): boolean {
  const { clientId, sequence } = request;
  const record = pending.ofWrite(clientId, sequence);
  if (record !== undefined) {
    pending.join(record, waiter);
    return true;
  }
  const sessions = engine.sessions(slot);
  const client = sessions.get(clientId);
  if (client === undefined) {
    if (clientId > sessions.forgotten || pending.hasClient(clientId)) return false;
    waiter.failed(forgotten(slot, sessions.forgotten, request.retry));
    return true;
  }
  const result = sessions.result(clientId, sequence);
  if (result !== undefined) {
    waiter.done(result.outcome, result.lsn, result.epoch);
    return true;
  }
  if (forgetting?.ids.has(clientId)) {
    // Executed behind that record, the write would bring the client back without its other results.
    waiter.failed(forgotten(slot, forgetting.largest, request.retry));
    return true;
  }
  if (sequence >= client.lowestUnfinished) return false;
  waiter.failed(forgotten(slot, sessions.forgotten, true));
  return true;
}

function forgotten(slot: number, largest: string, retry: boolean): KvError {
  return retry
    ? new KvError("outcome-unknown", "the result of this write is no longer kept", { slot })
    : new KvError("client-forgotten", "the client was idle for too long; nothing was done", {
      slot,
      clientIdAboveMs: timeOfUuidV7(bytesFromBinary(largest)),
    });
}
