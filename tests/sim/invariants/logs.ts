import type { NodeRef, SlotEntry } from "../../../core/ring/ring.ts";
import { RecordKind } from "../../../core/storage/record.ts";
import { type Copy, isUnusable } from "./copy.ts";
import { placeInLineage, type SlotTruth } from "./truth.ts";
import type { LogView, ReplicaView } from "./view.ts";

/** What the checks of one copy need besides it. */
export interface CopyContext {
  readonly truth: SlotTruth;
  /** The slot's entry in the ring as it really is. */
  readonly entry: () => SlotEntry | undefined;
  readonly violated: (what: string) => void;
  readonly count: (what: string) => void;
}

/** No log gets so far ahead by writes. */
const JUMP_LSNS = 100_000_000;

/**
 * Compares a copy with what was last seen of it and with all other copies, and takes note of it. `dying`: in the middle
 * of an event, so that what is committed may not have been applied yet.
 */
export function checkLog(
  copy: Copy,
  self: NodeRef,
  view: ReplicaView,
  context: CopyContext,
  dying: boolean,
): void {
  const { log } = view;
  const { lineage } = context.truth;
  if (lineage > 0 && !isUnusable(log) && log.committedLsn - copy.committedLsn > JUMP_LSNS) {
    context.count("copy of another lineage");
    copy.jumped(log);
  }
  if (copy.incarnation !== self.incarnation) checkRestart(copy, log, context);
  else checkEpochs(copy, view, context);
  if (!isUnusable(log)) {
    readTail(copy, log, context);
    // What the copy has of an earlier lineage is not comparable any more.
    if ((log.committedEpoch ?? 0) >= lineage) readCommits(copy, view, context, dying);
  }
  checkListed(copy, log, context);
  copy.take(self.incarnation, view);
  copy.epochs.length = Math.min(copy.epochs.length, placeInLineage(log.lastLsn) + 1);
}

/** What was reported as durable is there after a restart, but for what is known to be damaged. */
function checkRestart(copy: Copy, log: LogView, { violated, count }: CopyContext): void {
  copy.ownEpoch = 0;
  copy.answers = false;
  copy.answeredInEpoch = 0;
  if (copy.incarnation === 0 || copy.unusable || isUnusable(log)) return;
  if (log.durableLsn < copy.durableLsn) {
    violated(`restarted with the log durable through ${log.durableLsn}, before through ${copy.durableLsn}`);
  }
  const durableEpoch = copy.epochs[placeInLineage(copy.durableLsn)];
  const found = log.tail[copy.durableLsn - log.committedLsn - 1]?.epoch;
  if (found !== undefined && durableEpoch !== undefined && found !== durableEpoch) {
    violated(`restarted with epoch ${found} at lsn ${copy.durableLsn}, before it was ${durableEpoch}`);
  }
  if (log.lastLsn > log.committedLsn) count("restarted with an uncommitted tail");
}

/** Invariant 8: the highest epoch known never falls, and nothing above it stands in the log. */
function checkEpochs(copy: Copy, { log, highestEpoch }: ReplicaView, context: CopyContext): void {
  const { violated, count } = context;
  const incomplete = log.incomplete ?? false;
  if (highestEpoch < copy.highestEpoch) {
    violated(`its highest epoch fell from ${copy.highestEpoch} to ${highestEpoch}`);
  }
  if (log.lastEpoch > highestEpoch) {
    violated(`its log has epoch ${log.lastEpoch}, above its highest epoch ${highestEpoch}`);
  }
  // One that had something and has nothing was deleted: whether that was right, the ring says.
  const isDropped = !isUnusable(log) && log.lastLsn === 0 && copy.committedLsn > 0;
  if (isDropped) checkDropped(copy, context);
  if (log.committedLsn < copy.committedLsn && !isUnusable(log) && !isDropped) {
    violated(`committed through ${log.committedLsn}, before through ${copy.committedLsn}`);
  }
  if (log.lastLsn < copy.lastLsn && !isDropped) count("log cut");
  if (incomplete !== copy.incomplete && !isDropped) {
    count(incomplete ? "snapshot began" : "snapshot complete");
  }
}

/** Invariant 12, for copies that no ring lists: all that one had, committed there or not, is in the slot's history. */
function checkDropped(copy: Copy, { truth, entry, violated, count }: CopyContext): void {
  const { epochs, committedLsn, lastLsn, durableLsn } = copy;
  count("copy dropped");
  copy.deleted = { durableLsn, inEpoch: entry()?.epoch ?? 0 };
  if (truth.lineage > 0) return;
  for (let lsn = committedLsn + 1; lsn <= lastLsn; lsn++) {
    const [epoch, committed] = [epochs[lsn], truth.epochs[lsn]];
    const agree = epoch === undefined || committed === undefined || epoch === committed;
    if (lsn <= truth.committed && agree) continue;
    violated(`deleted with a record (epoch ${epoch}, lsn ${lsn}) that the slot's history does not have`);
  }
}

/** Invariant 4: two logs with the same epoch at one LSN are the same through there. */
function readTail(copy: Copy, log: LogView, { truth, violated, count }: CopyContext): void {
  const { tail, committedLsn, lastLsn } = log;
  const { epochs } = copy;
  const same = copy.lastLsn <= committedLsn || tail[copy.lastLsn - committedLsn - 1] === copy.lastRecord;
  if (!same) {
    // Of a snapshot that is not durable yet, the end may stand in a later lineage: in between there are no records.
    const lineageStartLsn = copy.lastLsn - placeInLineage(copy.lastLsn);
    for (let lsn = Math.max(copy.durableLsn, lineageStartLsn) + 1; lsn <= copy.lastLsn; lsn++) {
      truth.withdraw(lsn, epochs[placeInLineage(lsn)], copy.nodeId);
    }
  }
  const from = same ? Math.max(copy.lastLsn, committedLsn) + 1 : committedLsn + 1;
  for (let lsn = from; lsn <= lastLsn; lsn++) {
    const record = tail[lsn - committedLsn - 1]!;
    const previous = tail[lsn - committedLsn - 2]?.epoch ?? log.committedEpoch ??
      truth.epochs[placeInLineage(lsn - 1)];
    const place = placeInLineage(lsn);
    if (epochs[place] !== undefined && lsn <= copy.lastLsn && epochs[place] !== record.epoch) {
      count("log parted from another and was brought back");
    }
    const problem = truth.sees(record, previous, copy.nodeId);
    if (problem !== undefined) violated(`the record (epoch ${record.epoch}, lsn ${lsn}) ${problem}`);
    epochs[place] = record.epoch;
    if (record.kind === RecordKind.Note) count("retry that changed nothing was logged");
    if (record.kind === RecordKind.Forget) count("client forgotten");
  }
}

/** Invariant 5: the committed prefixes of all copies agree, and so do the states they make. Followers commit last. */
function readCommits(
  copy: Copy,
  { log, owner }: ReplicaView,
  { truth, entry, violated }: CopyContext,
  dying: boolean,
): void {
  const { committedLsn, committedEpoch, digest } = log;
  if (committedLsn === copy.committedLsn && copy.incarnation !== 0) return;
  const { epochs } = copy;
  // A log that was cut, continued and committed within one event shows only where it stands now.
  const known = committedEpoch === undefined || epochs[placeInLineage(committedLsn)] === committedEpoch;
  if (committedEpoch !== undefined) epochs[placeInLineage(committedLsn)] = committedEpoch;
  for (let lsn = copy.committedLsn + 1; lsn <= committedLsn; lsn++) {
    const problem = truth.commits(
      lsn,
      known || lsn === committedLsn ? epochs[placeInLineage(lsn)] : undefined,
    );
    if (problem !== undefined) violated(`the committed record at lsn ${lsn} ${problem}`);
  }
  // A copy that becomes the first state of a lineage is committed before its owner begins.
  const isOwner = owner !== undefined || copy.ownEpoch > 0 ||
    (truth.lineage > 0 && entry()?.owner?.id === copy.nodeId);
  if (isOwner) truth.committed = Math.max(truth.committed, committedLsn);
  else if (committedLsn > truth.committed) {
    violated(`committed through lsn ${committedLsn}, the owners only through ${truth.committed}`);
  }
  if (dying || committedLsn < log.blurredThroughLsn) return;
  const problem = truth.digestAt(committedLsn, digest);
  if (problem !== undefined) violated(`committed through lsn ${committedLsn}, it ${problem}`);
}

/** Invariants 3 and 12: a member in sync keeps its copy, damaged or not, and has on its disk all that was acknowledged. */
function checkListed(copy: Copy, log: LogView, { truth, entry, violated }: CopyContext): void {
  if (!entry()?.isr.some(({ id }) => id === copy.nodeId)) return;
  // One that an owner was forced on becomes the first state of its lineage by a snapshot of itself.
  const isBecoming = (log.committedEpoch ?? 0) < truth.lineage;
  if (log.incomplete && !isBecoming) violated("its copy was given up while the ring lists it as in sync");
  if (log.damage === undefined && log.durableLsn < truth.acknowledged) {
    violated(
      `in sync by the ring, but durable through ${log.durableLsn} only; ${truth.acknowledged} was acknowledged`,
    );
  }
}
