/** Restarted processes are listed again, under their new incarnation, where their copies are still good. */

import {
  type NodeRef,
  type Ring,
  type RingNode,
  type RingStandby,
  sameRef,
  type SlotEntry,
} from "../../ring/ring.ts";
import type { Registered } from "../registration.ts";
import { answerOf, type Answers, changeSlots, newestById, type RingChange, type View } from "./view.ts";

/** Registered processes that the ring lists as they were before; they must answer before that changes. */
export function returned(view: View): Registered[] {
  const { ring, data, standbys } = view;
  return [...newestById([...data, ...standbys]).values()].filter((registered) =>
    isOutdated(ring, registered)
  );
}

/** Who registers does not leave, unlike what the ring may say of a node that was given up, or that asked for it before. */
function isOutdated(ring: Ring, { ref, address }: Registered): boolean {
  const older = (other: NodeRef) => other.id === ref.id && other.incarnation < ref.incarnation;
  const moved = (listed: { ref: NodeRef; address: string }) =>
    older(listed.ref) || sameRef(listed.ref, ref) && listed.address !== address;
  return [...ring.nodes, ...ring.standbys].some((listed) =>
    moved(listed) || listed.leaving && sameRef(listed.ref, ref)
  ) ||
    ring.slots.some(({ isr }) => isr.some(older));
}

/** Safe once the new process has answered: its folder is locked, so the old one has ended. */
export function relist(view: View, answers: Answers): RingChange | undefined {
  const { ring } = view;
  const back = new Map(
    returned(view).filter(({ ref }) => answerOf(answers, ref) !== undefined).map((
      each,
    ) => [each.ref.id, each]),
  );
  if (back.size === 0) return undefined;
  const renewed = <T extends RingNode | RingStandby>(listed: T): T => {
    const found = back.get(listed.ref.id);
    return found === undefined
      ? listed
      : { ...listed, ref: found.ref, address: found.address, leaving: false };
  };
  return {
    ...ring,
    nodes: ring.nodes.map(renewed),
    standbys: ring.standbys.map(renewed),
    slots: changeSlots(ring.slots, (entry, slot) => renew(entry, slot, back, answers)) ?? ring.slots,
  };
}

/**
 * A member whose copy is of no use leaves the in-sync set. An owner stays what it is, in a new epoch: whether another
 * takes its place is for promotion to say, and if none can, the slot tells what is wrong with it.
 */
function renew(
  entry: SlotEntry,
  slot: number,
  back: ReadonlyMap<string, Registered>,
  answers: Answers,
): SlotEntry {
  const newRef = (ref: NodeRef): NodeRef | undefined => {
    const found = back.get(ref.id)?.ref;
    return found !== undefined && found.incarnation > ref.incarnation ? found : undefined;
  };
  if (!entry.isr.some(newRef)) return entry;
  const isr = entry.isr.flatMap((ref) => {
    const found = newRef(ref);
    if (found === undefined) return [ref];
    return ref.id === entry.owner?.id || !answerOf(answers, found)!.unusable.has(slot) ? [found] : [];
  });
  const owner = entry.owner && (newRef(entry.owner) ?? entry.owner);
  const ownerChanged = !sameRef(owner, entry.owner);
  return { ...entry, owner, isr, epoch: entry.epoch + (ownerChanged ? 1 : 0), isrSeq: entry.isrSeq + 1 };
}
