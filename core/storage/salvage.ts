import { KvError } from "../platform/errors.ts";
import type { Clock } from "../platform/ports.ts";
import { bareRecord, type LogRecord, RecordKind, SALVAGES } from "./record.ts";
import { sessionsToBytes } from "./session_bytes.ts";
import type { SlotState } from "./slot_state.ts";
import type { CommittedState } from "./state.ts";

/**
 * Versions of writes that were lost may be known to clients: no other write may get them. No log loses as many as
 * this, and LSNs have room for millions of epochs. They go on above the epoch's multiple of it: the copy may be older
 * than one that was salvaged in an earlier epoch, and lost too.
 */
const SKIPPED_LSNS = 10 ** 9;
/** After this much was read, others have their turn. */
const STEP_BYTES = 256 << 10;
const PAUSE_MS = 1;

/** What became of a slot's entries. */
export interface Salvaged {
  readonly kept: number;
  /**
   * The keys of those that are known and cannot be read. Of what else was lost, such as broken records of the log,
   * nobody knows.
   */
  readonly lost: readonly string[];
}

export interface SalvageParts {
  readonly clock: Clock;
  readonly state: CommittedState;
  readonly append: (record: LogRecord) => void;
  readonly commit: (slot: number, lsn: number) => void;
  /** Resolves when all that was appended is durable or rejected; rejects when the storage fails. */
  readonly synced: () => Promise<void>;
}

/**
 * Takes a copy for the whole slot as it is, committed or not, and without what cannot be read of it: a snapshot of the
 * copy by itself, whose end is of `epoch`. A crash in between leaves the copy incomplete, or as unusable as it was, and
 * nothing more is lost.
 */
export async function salvage(slot: SlotState, epoch: number, parts: SalvageParts): Promise<Salvaged> {
  await parts.synced();
  parts.commit(slot.slot, slot.durableLsn);
  const { slot: number, committedLsn, committedEpoch, sessions } = slot;
  const record = (kind: number, lsn: number) =>
    bareRecord(kind, number, Math.max(epoch, committedEpoch), lsn);
  const baseLsn = Math.max(committedLsn + SKIPPED_LSNS, epoch * SKIPPED_LSNS);
  const begin = record(RecordKind.SnapshotBegin, baseLsn);
  const end = record(RecordKind.SnapshotEnd, baseLsn);
  parts.append({ ...begin, sequence: committedLsn, value: sessionsToBytes(sessions), outcome: SALVAGES });
  let kept = 0;
  const lost: string[] = [];
  let bytes = 0;
  const { state } = parts;
  const { places } = state;
  for (const row of [...slot.index.rows()]) {
    bytes += places.keyBytes(row) + places.valueBytes(row);
    if (state.isIntact(row)) {
      kept++;
      parts.append({ ...record(RecordKind.SnapshotKeep, places.version(row)), key: places.key(row) });
    } else lost.push(places.key(row));
    if (bytes < STEP_BYTES) continue;
    bytes = 0;
    await parts.clock.sleep(PAUSE_MS);
  }
  parts.append(end);
  await parts.synced();
  if (slot.committedLsn === end.lsn) return { kept, lost };
  throw new KvError("disk-full", `slot ${number} is not salvaged: there is no room for its log`, {
    slot: number,
  });
}
