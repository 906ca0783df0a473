import { type NodeRef, sameRef } from "../../../core/ring/ring.ts";
import type { Copy } from "./copy.ts";
import type { CopyContext } from "./logs.ts";
import type { OwnerView, ReplicaNode, ReplicaView } from "./view.ts";

/** A node whose process lives, paused or not. */
export interface LiveNode {
  readonly name: string;
  readonly node: ReplicaNode;
  /** The node's monotonic clock, now. */
  nowMs(): number;
}

export interface OwnerContext extends CopyContext {
  readonly slot: number;
  readonly minInSync: number;
  readonly tell: (what: string) => void;
  /** The process of this id and incarnation, if it lives and its storage is open. */
  readonly live: (ref: NodeRef) => LiveNode | undefined;
  /** The copy of this node, whether it lives or not. */
  readonly copyOf: (nodeId: string) => Copy;
  /** Members in sync that the ring had in this state of the slot's entry. */
  readonly isrSize: (isrSeq: number) => number | undefined;
}

/** Checks what an owner may think and do. `committedBefore` is the commit mark of the last look. */
export function checkOwner(
  copy: Copy,
  live: LiveNode,
  view: ReplicaView,
  committedBefore: number,
  context: OwnerContext,
): void {
  const owner = view.owner!;
  if (owner.epoch !== copy.ownEpoch) {
    checkEpoch(copy, live.node.self, owner, context);
    copy.committedAtStart = Math.min(committedBefore, view.log.committedLsn);
  }
  checkMembers(copy, owner, context);
  if (view.log.committedLsn > committedBefore) checkCommit(view, owner, context);
  const replaced = (context.entry()?.epoch ?? 0) > owner.epoch && copy.replacedInEpoch !== owner.epoch;
  if (replaced) {
    copy.replacedInEpoch = owner.epoch;
    context.count("owner went on after the ring had replaced it");
  }
  if (owner.canAnswer !== copy.answers) {
    copy.answers = owner.canAnswer;
    context.tell(owner.canAnswer ? `answers in epoch ${owner.epoch}` : "does not answer any more");
  }
  if (!owner.canAnswer) return;
  if (owner.epoch !== copy.answeredInEpoch) checkStart(view, owner, copy.committedAtStart, context);
  copy.answeredInEpoch = owner.epoch;
  if (view.log.committedLsn < context.truth.acknowledged) {
    const { acknowledged } = context.truth;
    context.violated(
      `would answer, committed through ${view.log.committedLsn}; ${acknowledged} was answered`,
    );
  }
  checkPromises(live.node.self, owner, context);
}

/** The process does not take itself for the owner any more. */
export function leaveOwnership(copy: Copy, { tell }: OwnerContext): void {
  if (copy.ownEpoch === 0) return;
  tell(`is not the owner any more, since epoch ${copy.ownEpoch}`);
  copy.ownEpoch = 0;
  copy.answers = false;
}

/** Invariant 8: one process appends in an epoch. */
function checkEpoch(
  copy: Copy,
  self: NodeRef,
  { epoch, startLsn }: OwnerView,
  { truth, violated, tell }: OwnerContext,
): void {
  copy.ownEpoch = epoch;
  tell(`takes itself for the owner in epoch ${epoch}, its log through ${startLsn}`);
  const other = truth.appenders.get(epoch);
  truth.appenders.set(epoch, self);
  if (other !== undefined && !sameRef(other, self)) {
    violated(`takes itself for the owner in epoch ${epoch}, which is ${other.id} ${other.incarnation}'s`);
  }
}

/** Invariant 2: an owner counts at least the members that the ring has. */
function checkMembers(copy: Copy, owner: OwnerView, { entry, violated }: OwnerContext): void {
  const { epoch, effectiveIsr } = owner;
  const listed = entry();
  if (copy.checkedIsr === effectiveIsr && copy.checkedEntry === listed) return;
  copy.checkedIsr = effectiveIsr;
  copy.checkedEntry = listed;
  if (listed === undefined || listed.epoch !== epoch) return;
  for (const ref of listed.isr) {
    // Until it hears that a member has been started again, it counts the earlier process: that one can acknowledge
    // nothing any more, and what it did acknowledge is in the folder.
    if (effectiveIsr.some(({ id, incarnation }) => id === ref.id && incarnation <= ref.incarnation)) continue;
    violated(`the owner in epoch ${epoch} does not count ${ref.id} ${ref.incarnation}, which the ring lists`);
  }
}

/** Invariant 10: what is committed is on the disks of all members that count. */
function checkCommit({ log }: ReplicaView, owner: OwnerView, context: OwnerContext): void {
  const { truth, violated, copyOf, isrSize, minInSync } = context;
  const { committedLsn } = log;
  for (const { id } of owner.effectiveIsr) {
    const copy = copyOf(id);
    if (copy.unusable || copy.durableLsn >= committedLsn) continue;
    // One that was replaced, and has not heard of it, still counts a copy that has had its day.
    const { durableLsn, inEpoch } = copy.deleted;
    if (owner.epoch < inEpoch && durableLsn >= committedLsn) continue;
    violated(`the owner committed through ${committedLsn}, ${id} is durable through ${copy.durableLsn}`);
  }
  const size = isrSize(owner.isrSeq);
  if (size === undefined || size >= minInSync || committedLsn <= owner.startLsn) return;
  truth.thin.add(committedLsn);
}

/** Invariant 7: before it answers, its log as it stood at the start of its epoch is on all members. */
function checkStart(
  { log }: ReplicaView,
  owner: OwnerView,
  committedAtStart: number,
  { violated, count, copyOf }: OwnerContext,
): void {
  count("owner began to answer");
  const { startLsn, effectiveIsr, epoch } = owner;
  if (effectiveIsr.length > 1 && startLsn > committedAtStart) {
    count("owner began to answer after bringing a tail to its members");
  }
  if (log.committedLsn < startLsn) {
    violated(`would answer in epoch ${epoch}, committed through ${log.committedLsn}, begun at ${startLsn}`);
  }
  for (const { id } of effectiveIsr) {
    const copy = copyOf(id);
    if (copy.unusable || copy.durableLsn >= startLsn) continue;
    violated(
      `would answer in epoch ${epoch} while ${id} has its log through ${copy.durableLsn} of ${startLsn}`,
    );
  }
}

/** Invariant 6, second half: all other members have promised not to serve, and keep it. */
function checkPromises(self: NodeRef, owner: OwnerView, { slot, live, violated }: OwnerContext): void {
  for (const ref of owner.effectiveIsr) {
    if (sameRef(ref, self)) continue;
    const member = live(ref);
    const view = member?.node.replica(slot);
    if (member === undefined || view === undefined || member.nowMs() < view.notBeforeMs) continue;
    const lateMs = (member.nowMs() - view.notBeforeMs).toFixed(1);
    violated(`would answer, but the promise of ${member.name} ran out ${lateMs} ms ago`);
  }
}
