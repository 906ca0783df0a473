/** The ring with one member more or less: what joining and leaving come to, and what plans of them are made from. */

import { placementOf } from "./followers.ts";
import { type NodeRef, type Ring, type RingNode, type RingStandby, sameRef } from "./ring.ts";

/**
 * With one more data node. Slots that nobody ever owned become its own at once where the rule wants that; the owners of
 * all others find by the new ring that it is to follow them.
 */
export function withNode(ring: Ring, node: RingNode): Ring {
  const nodes = [...ring.nodes, node].toSorted((a, b) => a.label - b.label);
  const standbys = ring.standbys.filter(({ ref }) => ref.id !== node.ref.id);
  const joined = { ...ring, nodes, standbys };
  const { wanted } = placementOf(joined);
  const own = { owner: node.ref, epoch: 1, isr: [node.ref], isrSeq: 1 };
  const slots = joined.slots.map((entry, slot) =>
    entry.owner === undefined && sameRef(wanted[slot]?.ref, node.ref) ? own : entry
  );
  return { ...joined, slots };
}

/**
 * In which the process leaves: it is marked, so that its slots go to its neighbours and its copies to others. The ring
 * itself when there is nothing to change; a text is the reason for a refusal.
 */
export function withoutMember(ring: Ring, ref: NodeRef): Ring | string {
  const leaves = <T extends RingNode | RingStandby>(each: T): T =>
    sameRef(each.ref, ref) ? { ...each, leaving: true } : each;
  const member = [...ring.nodes, ...ring.standbys].find((each) => sameRef(each.ref, ref));
  if (member === undefined || member.leaving) return ring;
  if ("label" in member && !ring.nodes.some((each) => each !== member && !each.leaving)) {
    return "it is the last data node: there is no other that could take its slots";
  }
  return { ...ring, nodes: ring.nodes.map(leaves), standbys: ring.standbys.map(leaves) };
}
