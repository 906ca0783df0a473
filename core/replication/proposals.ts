import { type Proposal, ProposalKind } from "../../proto/gen/kv/v1/cluster.ts";
import { type NodeRef, sameRef } from "../ring/ring.ts";
import type { Follower } from "./follower.ts";
import type { InSyncSet } from "./in_sync_set.ts";

/** What the ring wants of a slot, beyond its in-sync set. */
export interface Wanted {
  /** Who should own it by the rule; undefined while no node may. */
  readonly owner: NodeRef | undefined;
  /** Members in sync, or proposed, that it has no use for once all others who are to copy it are in sync. */
  readonly superfluous: readonly NodeRef[];
}

/** Limits after which a member is taken out of the in-sync set. */
export interface Patience {
  /** Without an acknowledgement of what it lacks. */
  readonly stalledMs: number;
  /** Without an answer to a heartbeat. */
  readonly silentMs: number;
  /** Without a stream to it. */
  readonly downMs: number;
}

/** What is asked of the master for a slot. */
export interface Wish {
  readonly kind: ProposalKind;
  readonly follower: Follower;
  /** For a removal. */
  readonly reason?: string | undefined;
}

/** How far a member must have come by now. */
export interface Due {
  /** What was there `stalledMs` ago: it may lack some of that while it gets more. */
  readonly soonLsn: number;
  /** What was there `lagMsMax` ago: it is too slow if it lacks any of that. */
  readonly lateLsn: number;
}

/** The slot as its owner sees it. */
export interface OwnedSlot {
  readonly inSync: InSyncSet;
  readonly due: Due;
  /**
   * All that was ever acknowledged lies below: what is committed, and the log as it stood when the epoch began, since a
   * commit mark may be older than an acknowledgement. Infinity while the epoch has not begun.
   */
  readonly neededLsn: number;
  readonly serving: boolean;
}

/** Why the follower can be waited for no longer; undefined when it can. */
export function faultOf(
  follower: Follower,
  { soonLsn, lateLsn }: Due,
  nowMs: number,
  patience: Patience,
): string | undefined {
  const { unusable, downSinceMs, askedMs, ackedLsn, ackedMs } = follower;
  if (unusable) return "its copy is of no use";
  if (downSinceMs !== undefined && nowMs - downSinceMs >= patience.downMs) return "it cannot be reached";
  if (askedMs !== undefined && nowMs - askedMs >= patience.silentMs) return "it answers no heartbeat";
  if (ackedLsn < soonLsn && nowMs - ackedMs >= patience.stalledMs) return "it acknowledges nothing";
  if (ackedLsn < lateLsn) return "it is too slow";
  return undefined;
}

/**
 * The next change of the slot's in-sync set or owner that the owner wishes for; one at a time, because each change
 * voids what was asked at the isrSeq before.
 */
export function nextWish(
  slot: OwnedSlot,
  wanted: Wanted,
  nowMs: number,
  patience: Patience,
): Wish | undefined {
  const { followers } = slot.inSync;
  for (const follower of followers) {
    const reason = whyRemoved(follower, slot, wanted, nowMs, patience);
    if (reason !== undefined) return { kind: ProposalKind.REMOVE, follower, reason };
  }
  const caughtUp = followers.filter((follower) => mayEnter(follower, slot, wanted, nowMs, patience));
  const next = caughtUp.find(({ proposedMs }) => nowMs - (proposedMs ?? nowMs) < patience.stalledMs);
  if (next !== undefined) return { kind: ProposalKind.ADD, follower: next };
  // One that the master does not take holds nothing up.
  const again = caughtUp[0] && { kind: ProposalKind.ADD, follower: caughtUp[0] };
  // The owner before lets go of its promises, and of the slot, once this one serves.
  if (!slot.serving) return again;
  const complete = followers.every((follower) => follower.inRing);
  const superfluous = followers.find((follower) => follower.inRing && isIn(wanted.superfluous, follower));
  if (complete && superfluous !== undefined) return { kind: ProposalKind.REMOVE, follower: superfluous };
  const successor = followers.find((follower) => follower.inRing && sameRef(follower.ref, wanted.owner));
  if (successor !== undefined) return { kind: ProposalKind.HAND_OVER, follower: successor };
  return again;
}

/** Why a member of the effective in-sync set is to leave it without waiting for anybody. */
function whyRemoved(
  follower: Follower,
  { due }: OwnedSlot,
  wanted: Wanted,
  nowMs: number,
  patience: Patience,
): string | undefined {
  if (!follower.counts) return undefined;
  // It was proposed when the ring still wanted it, and the master did not take it: it left, as a rule.
  if (!follower.inRing && isIn(wanted.superfluous, follower)) {
    return "it was proposed, and is not wanted any more";
  }
  return faultOf(follower, due, nowMs, patience);
}

function mayEnter(
  follower: Follower,
  { due, neededLsn }: OwnedSlot,
  wanted: Wanted,
  nowMs: number,
  patience: Patience,
): boolean {
  return !follower.inRing && follower.streaming && follower.ackedLsn >= neededLsn &&
    // Or nothing could be answered until it has promised.
    follower.promisedUntilMs > nowMs && nowMs - follower.refusedMs >= patience.stalledMs &&
    !isIn(wanted.superfluous, follower) && faultOf(follower, due, nowMs, patience) === undefined;
}

function isIn(refs: readonly NodeRef[], { ref }: Follower): boolean {
  return refs.some((other) => sameRef(other, ref));
}

/** The wish as the master wants it. */
export function proposalOf(slot: number, epoch: number, isrSeq: number, { kind, follower }: Wish): Proposal {
  return { slot, epoch, isrSeq, kind, node: follower.ref };
}
