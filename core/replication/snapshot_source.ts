import { fnv1a32Binary } from "../ring/hash.ts";
import type { Engine } from "../storage/engine.ts";
import { type LogRecord, RecordKind } from "../storage/record.ts";

const EMPTY = new Uint8Array(0);
/** Results go in records of so much: those of all clients may be more than a message holds. */
const RESULTS_BYTES = 1 << 20;

/**
 * A snapshot of a slot's committed state, as records, taken while writes go on. Its base is the state as it is now, so
 * the first record must be taken in the same turn. Entries may be newer than that, and some may be missing that were
 * deleted since: the log behind the base, which has to follow, brings all to the same state.
 *
 * Entries up to version `since`, which the follower must have, go without their values.
 */
export class SnapshotSource {
  /** LSN of the state that the snapshot is of. */
  readonly baseLsn: number;
  readonly keys: number;
  /** Bytes of keys and values to come, about. */
  readonly bytes: number;
  /** The value of each lasts until the next one is taken. Throws KvError damaged when the slot cannot be read. */
  readonly records: Generator<LogRecord>;

  constructor(engine: Engine, slot: number, since: number) {
    const { committedLsn, committedEpoch, keys, bytes } = engine.slot(slot);
    this.baseLsn = committedLsn;
    this.keys = keys;
    this.bytes = bytes;
    const edge = { slot, epoch: committedEpoch, lsn: committedLsn };
    this.records = snapshot(engine, edge, since);
  }
}

function* snapshot(
  engine: Engine,
  edge: Pick<LogRecord, "slot" | "epoch" | "lsn">,
  since: number,
): Generator<LogRecord> {
  const keys = engine.keysOf(edge.slot);
  const results = engine.clientResults(edge.slot);
  const bare = {
    ...edge,
    key: "",
    hash: 0,
    value: EMPTY,
    clientId: "",
    sequence: 0,
    lowestUnfinished: 0,
    outcome: 0,
  };
  const value = results.subarray(0, RESULTS_BYTES);
  yield { ...bare, kind: RecordKind.SnapshotBegin, sequence: since, value };
  for (let at = RESULTS_BYTES; at < results.length; at += RESULTS_BYTES) {
    const value = results.subarray(at, at + RESULTS_BYTES);
    yield { ...bare, kind: RecordKind.SnapshotResults, value };
  }
  for (const key of keys) {
    const hash = fnv1a32Binary(key);
    const entry = engine.readSince(edge.slot, key, hash, since);
    if (entry === undefined) continue;
    const { value, version: lsn } = entry;
    if (value === undefined) yield { ...bare, kind: RecordKind.SnapshotKeep, lsn, key, hash };
    else yield { ...bare, kind: RecordKind.SnapshotPut, lsn, key, hash, value };
  }
  const { committedLsn, blurredThroughLsn } = engine.slot(edge.slot);
  const newest = Math.max(committedLsn, blurredThroughLsn);
  yield { ...bare, kind: RecordKind.SnapshotEnd, lowestUnfinished: newest };
}
