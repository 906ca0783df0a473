import type { SlotPosition } from "../../proto/gen/kv/v1/cluster.ts";
import type { Engine, SlotView } from "../storage/engine.ts";
import type { SlotOwner } from "./slot_owner.ts";

/** A log in as far as it is still known which epoch each record has. */
export interface KnownLog {
  readonly lastLsn: number;
  readonly committedLsn: number;
  /** Undefined: it is too old to be known, or there is no such record. */
  epochAt(lsn: number): number | undefined;
}

/** The owner's log: its epoch, its tail, and what is still in memory of what came before. */
export function ownLog(owner: SlotOwner, engine: Engine): KnownLog {
  const { lastLsn, committedLsn, committedEpoch } = engine.slot(owner.slot);
  const epochAt = (lsn: number) => {
    const { startLsn, epoch } = owner;
    if (startLsn > 0 && lsn >= startLsn && lsn <= lastLsn) return epoch;
    return lsn === committedLsn ? committedEpoch : owner.recordAt(lsn)?.epoch;
  };
  return { lastLsn, committedLsn, epochAt };
}

/** Where a copy's log ends, by its epochs; `epoch`: in which that is asked, or told. */
export function positionOf(log: SlotView, epoch: number): SlotPosition {
  const { slot, committedLsn, committedEpoch, damage, incomplete, tail } = log;
  const runEpochs = [committedEpoch];
  const runLsns = [committedLsn];
  for (const record of tail) {
    if (record.epoch !== runEpochs[runEpochs.length - 1]) {
      runEpochs.push(record.epoch);
      runLsns.push(record.lsn);
    } else runLsns[runLsns.length - 1] = record.lsn;
  }
  return { slot, epoch, committedLsn, damaged: damage !== undefined, incomplete, runEpochs, runLsns };
}

/**
 * The last LSN through which the follower's log is the same as ours: the same epoch at the same LSN means the same log
 * up to there (Ongaro and Ousterhout, Raft, section 5.3; Kafka's KIP-101). Undefined: below what the follower has
 * committed, so the logs are not of one history.
 */
export function forkOf(ours: KnownLog, theirs: SlotPosition): number | undefined {
  for (let run = theirs.runEpochs.length - 1; run >= 0; run--) {
    const epoch = theirs.runEpochs[run]!;
    const runStart = run === 0 ? theirs.committedLsn : theirs.runLsns[run - 1]! + 1;
    for (let lsn = Math.min(theirs.runLsns[run]!, ours.lastLsn); lsn >= runStart; lsn--) {
      const known = ours.epochAt(lsn);
      if (known === epoch) return lsn;
      if (known === undefined) break;
      // Epochs do not fall along our log: below here are only lower ones.
      if (known < epoch) break;
    }
  }
  // What both have committed is the same on both.
  return theirs.committedLsn <= ours.committedLsn ? theirs.committedLsn : undefined;
}
