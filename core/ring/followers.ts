/** Who copies a slot, and who ought to own it: pure functions of the ring, so that nobody has to keep it. */

import { targetLabels } from "./assignment.ts";
import { fnv1a32 } from "./hash.ts";
import { type NodeRef, type Ring, type RingNode, sameRef } from "./ring.ts";

/** What the ring says should be, for every slot. */
export interface Placement {
  /** By slot: the node that should own it, by assignment or rule; undefined while no node may. */
  readonly wanted: readonly (RingNode | undefined)[];
  /** By slot: the standbys that are to copy it. */
  readonly standbys: readonly (readonly NodeRef[])[];
}

/** Those that leave get nothing; among the standbys each slot has `replicas`, all when that is 0. */
export function placementOf(ring: Ring): Placement {
  const { msn } = ring.settings;
  const staying = ring.nodes.filter((node) => !node.leaving);
  const byLabel = new Map(staying.map((node) => [node.label, node]));
  const wanted = Array.from(targetLabels(ring), (label) => byLabel.get(label));
  const standbys = Array.from({ length: msn }, (_, slot) => chosenStandbys(ring, slot));
  return { wanted, standbys };
}

/** The nodes, but for the owner, that are to copy the slot: members in sync, chosen standbys, and the wanted owner. */
export function followersOf(ring: Ring, slot: number, placement: Placement): NodeRef[] {
  const { owner, isr } = ring.slots[slot]!;
  const found = new Map<string, NodeRef>();
  for (const ref of isr) found.set(ref.id, ref);
  for (const ref of placement.standbys[slot]!) found.set(ref.id, ref);
  const wanted = placement.wanted[slot];
  if (wanted !== undefined) found.set(wanted.ref.id, wanted.ref);
  if (owner !== undefined) found.delete(owner.id);
  return [...found.values()];
}

/** Those of the members that the slot has no use for once all others of {@link followersOf} are in sync too. */
export function superfluousOf(
  ring: Ring,
  slot: number,
  placement: Placement,
  members: readonly NodeRef[],
): NodeRef[] {
  const { owner } = ring.slots[slot]!;
  return members.filter((ref) =>
    !sameRef(ref, owner) && !sameRef(ref, placement.wanted[slot]?.ref) &&
    !placement.standbys[slot]!.some((standby) => sameRef(standby, ref))
  );
}

/** Whether the ring has a use for the node's copy of the slot, whichever process of it is alive. */
export function hasUseFor(ring: Ring, slot: number, id: string, placement: Placement): boolean {
  return ring.slots[slot]!.owner?.id === id ||
    followersOf(ring, slot, placement).some((ref) => ref.id === id);
}

/** Where the process listens, if the ring has it. */
export function addressOf(ring: Ring, ref: NodeRef): string | undefined {
  return (ring.nodes.find((node) => sameRef(node.ref, ref)) ??
    ring.standbys.find((standby) => sameRef(standby.ref, ref)))?.address;
}

/**
 * The `replicas` standbys with the highest weights (rendezvous hashing, Thaler and Ravishankar 1998): a standby that
 * comes or goes moves only what it gets or had.
 */
function chosenStandbys({ standbys, replicas, slots }: Ring, slot: number): NodeRef[] {
  const owner = slots[slot]?.owner;
  // One that owns the slot, without a seat, is no copy of it.
  const refs = standbys.filter(({ ref, leaving }) => !leaving && ref.id !== owner?.id).map(({ ref }) => ref);
  if (replicas === 0 || refs.length <= replicas) return refs;
  const weighed = refs.map((ref) => ({ ref, weight: weightOf(slot, ref.id) }));
  weighed.sort((a, b) => b.weight - a.weight || (a.ref.id < b.ref.id ? -1 : 1));
  return weighed.slice(0, replicas).map(({ ref }) => ref);
}

function weightOf(slot: number, id: string): number {
  const hash = fnv1a32(new TextEncoder().encode(`${slot}/${id}`));
  // FNV leaves the last characters in the low bits; a multiplication spreads them.
  return Math.imul(hash ^ (hash >>> 15), 0x2c1b3c6d) >>> 0;
}
