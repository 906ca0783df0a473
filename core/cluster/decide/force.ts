/**
 * An operator forces an owner on slots of which no complete copy is alive. What was acknowledged and is not on the new
 * owner's copy is lost by that, so it is refused wherever the cluster could still help itself.
 */

import type { ForceOwnerRequest } from "../../../proto/gen/kv/v1/admin.ts";
import { addressOf } from "../../ring/followers.ts";
import { FORCED_MAX, type ForcedOwner, type NodeRef, sameRef, type SlotEntry } from "../../ring/ring.ts";
import { answerOf, type Answers, isLost, newestById, type RingChange, type View } from "./view.ts";

/** Who must be asked before: the new owner, and all whose copies would be given up. */
export function toAskForForce({ ring }: View, { node, slots }: ForceOwnerRequest): NodeRef[] {
  const asked = new Map<string, NodeRef>();
  for (const { slot } of slots) for (const ref of ring.slots[slot]?.isr ?? []) asked.set(ref.id, ref);
  if (node !== undefined) asked.set(node.id, node);
  return [...asked.values()];
}

/** Why the wish is not granted; undefined: it may be, if the present owners have stopped. */
export function forceRefusal(view: View, answers: Answers, request: ForceOwnerRequest): string | undefined {
  const { ring } = view;
  const { node, slots } = request;
  if (node === undefined || slots.length === 0) return "the request names no node, or no slot";
  if (addressOf(ring, node) === undefined) {
    return `node ${node.id}, incarnation ${node.incarnation}, is not in the ring`;
  }
  const heir = answerOf(answers, node);
  if (heir === undefined) return `${nameIn(view, node)} does not answer the master`;
  if (heir.stuck) return `${nameIn(view, node)} cannot write: its storage has failed, or hangs`;
  for (const { slot, epoch, isrSeq } of slots) {
    const entry = ring.slots[slot];
    const refusal = entry === undefined
      ? `there is no slot ${slot}: the last one is ${ring.slots.length - 1}`
      : entry.owner === undefined
      ? `slot ${slot} never had an owner: there is nothing to be rescued`
      : entry.epoch !== epoch || entry.isrSeq !== isrSeq
      ? `slot ${slot} has changed meanwhile (epoch ${epoch}, now ${entry.epoch}): look at it again`
      : hope(view, answers, slot, entry);
    if (refusal !== undefined) return refusal;
  }
  return undefined;
}

/** Who has all of the slot and lives, or may be alive. */
function hope(view: View, answers: Answers, slot: number, { owner, isr }: SlotEntry): string | undefined {
  const newest = newestById([...view.data, ...view.standbys]);
  for (const ref of isr) {
    const name = nameIn(view, ref);
    const answer = answerOf(answers, ref) ?? answerOf(view.known, ref);
    if (newest.get(ref.id) !== undefined && newest.get(ref.id)!.ref.incarnation > ref.incarnation) {
      return `slot ${slot}: ${name} was started again and is about to be listed: wait for that`;
    }
    if (isLost(view, answers, ref) || answer?.unusable.has(slot)) continue;
    if (answer === undefined) return `slot ${slot}: ${name} is not known to be lost yet: wait some seconds`;
    return sameRef(ref, owner)
      ? `slot ${slot} has its owner, ${name}, which is alive and has a good copy`
      : `slot ${slot}: ${name} is alive and has a complete copy: it becomes the owner by itself when there is none`;
  }
  return undefined;
}

/** The ring with the slots given away: in a new epoch, of a new lineage, with nobody else in sync. */
export function forced(
  { ring }: View,
  { node, slots: given, by }: ForceOwnerRequest,
  atMs: number,
): RingChange {
  const slots = [...ring.slots];
  const events = new Map<string, ForcedOwner & { slots: number[] }>();
  for (const { slot } of given.toSorted((a, b) => a.slot - b.slot)) {
    const entry = slots[slot]!;
    const epoch = entry.epoch + 1;
    slots[slot] = { owner: node!, epoch, isr: [node!], isrSeq: entry.isrSeq + 1, lineage: epoch };
    const from = entry.owner!;
    const event = events.get(from.id) ??
      { slots: [], from, to: node!, by, atMs, ringVersion: ring.version + 1 };
    event.slots.push(slot);
    events.set(from.id, event);
  }
  return { ...ring, slots, forced: [...ring.forced ?? [], ...events.values()].slice(-FORCED_MAX) };
}

function nameIn({ ring }: View, ref: NodeRef): string {
  return `node ${addressOf(ring, ref) ?? "(not listed now)"} (id ${ref.id}, incarnation ${ref.incarnation})`;
}
