/** What owners propose: who is in sync with their slots, and who is to own them next. */

import { type Proposal, ProposalKind, type ProposeRequest } from "../../../proto/gen/kv/v1/cluster.ts";
import { addressOf } from "../../ring/followers.ts";
import { type NodeRef, type Ring, sameRef, type SlotEntry } from "../../ring/ring.ts";
import type { Registered } from "../registration.ts";
import { answerOf, type Answers, canHave, newestById, type RingChange } from "./view.ts";

/** What the proposals are held against. */
export interface Judged {
  readonly ring: Ring;
  readonly registered: readonly Registered[];
  readonly answers: Answers;
}

/** The proposers, and those who are to get more than they have. */
export function toAskForProposals(requests: readonly ProposeRequest[]): NodeRef[] {
  return requests.flatMap(({ owner, proposals }) => [
    owner,
    ...proposals.map(({ kind, node }) => kind === ProposalKind.REMOVE ? undefined : node),
  ]).filter((ref) => ref !== undefined);
}

/** The slots after all proposals that fit, one after the other; undefined when none did. `refused` says why not. */
export function applyProposals(
  judged: Judged,
  requests: readonly ProposeRequest[],
): { readonly change: RingChange | undefined; readonly refused: readonly string[] } {
  const slots = [...judged.ring.slots];
  const newest = newestById(judged.registered);
  const refused: string[] = [];
  let changed = false;
  for (const { owner, proposals } of requests) {
    for (const proposal of proposals) {
      const next = judge(judged, newest, owner, proposal, slots[proposal.slot]);
      if (typeof next === "string") {
        refused.push(`slot ${proposal.slot}: ${next}`);
      } else {
        slots[proposal.slot] = next;
        changed = true;
      }
    }
  }
  return { change: changed ? { ...judged.ring, slots } : undefined, refused };
}

/** What the slot becomes, or why the proposal is refused. */
function judge(
  { ring, answers }: Judged,
  registered: ReadonlyMap<string, Registered>,
  proposer: NodeRef | undefined,
  { slot, epoch, isrSeq, kind, node }: Proposal,
  entry: SlotEntry | undefined,
): SlotEntry | string {
  if (entry?.owner === undefined || !sameRef(entry.owner, proposer)) return "not from its owner";
  if (entry.epoch !== epoch || entry.isrSeq !== isrSeq) return "not about its present state";
  if (node === undefined) return "names no node";
  // One who cannot write must not shrink its in-sync set to itself, and one who died meanwhile must not have done so.
  if (answerOf(answers, entry.owner)?.stuck ?? true) return "the owner does not answer, or cannot write";
  const isMember = entry.isr.some((ref) => sameRef(ref, node));
  switch (kind) {
    case ProposalKind.ADD: {
      if (!sameRef(registered.get(node.id)?.ref, node)) return "whom it adds is not registered";
      if (addressOf(ring, node) === undefined) return "whom it adds is not listed";
      if (!canHave(answers, node, slot)) return "whom it adds does not answer, or has no good copy";
      return isMember ? "is there already" : add(entry, node);
    }
    case ProposalKind.REMOVE:
      if (node.id === entry.owner.id) return "the owner cannot be removed";
      // One that was proposed and is not listed counts for the owner until the isrSeq has risen.
      return { ...entry, isr: entry.isr.filter((ref) => !sameRef(ref, node)), isrSeq: isrSeq + 1 };
    case ProposalKind.HAND_OVER: {
      if (!isMember || node.id === entry.owner.id) return "whom it hands over to is not in sync";
      const heir = ring.nodes.find(({ ref }) => sameRef(ref, node));
      if (heir === undefined || heir.leaving) return "whom it hands over to has no seat, or leaves";
      if (!canHave(answers, node, slot)) return "whom it hands over to does not answer, or has no good copy";
      return { ...entry, owner: heir.ref, epoch: epoch + 1, isrSeq: isrSeq + 1 };
    }
    default:
      return "is of no known kind";
  }
}

/** A former incarnation gives way: the owner has brought the present one up to date. */
function add(entry: SlotEntry, { id, incarnation }: NodeRef): SlotEntry | string {
  const isr = entry.isr.filter((ref) => ref.id !== id);
  const former = entry.isr.find((ref) => ref.id === id);
  if (id === entry.owner?.id || (former?.incarnation ?? 0) > incarnation) return "is not the present process";
  return { ...entry, isr: [...isr, { id, incarnation }], isrSeq: entry.isrSeq + 1 };
}
