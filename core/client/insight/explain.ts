import { fnv1a32 } from "../../ring/hash.ts";
import { membersOf } from "../../ring/owners.ts";
import { slotOf } from "../../ring/placement.ts";
import { followersOf, placementOf } from "../../ring/followers.ts";
import { filePath } from "../../ring/primes.ts";
import { type NodeRef, type Ring, type RingNode, sameRef } from "../../ring/ring.ts";
import { nameOf } from "./names.ts";

/** A process that copies the key's slot, the owner among them. */
export interface ExplainedCopy {
  readonly ref: NodeRef;
  readonly name: string;
  /** It holds every acknowledged write. */
  readonly inSync: boolean;
}

/** Where a key lies. */
export interface Explanation {
  readonly hash: number;
  readonly slot: number;
  /** Undefined while nobody has ever owned the slot. */
  readonly owner: RingNode | undefined;
  readonly epoch: number;
  readonly copies: readonly ExplainedCopy[];
  /** Who is to own it, where that is another one. */
  readonly movesTo: RingNode | undefined;
  /** In the owner's data folder: `h mod 3 / h mod 5 ...`. */
  readonly file: string;
  readonly ringVersion: number;
}

/** What the ring says of a key. */
export function explainKey(ring: Ring, key: Uint8Array): Explanation {
  const { msn, levels } = ring.settings;
  const hash = fnv1a32(key);
  const slot = slotOf(hash, msn);
  const entry = ring.slots[slot]!;
  const placement = placementOf(ring);
  const wanted = placement.wanted[slot];
  const holders = [
    ...(entry.owner === undefined ? [] : [entry.owner]),
    ...followersOf(ring, slot, placement),
  ];
  return {
    hash,
    slot,
    owner: membersOf(ring).find(({ ref }) => sameRef(ref, entry.owner)),
    epoch: entry.epoch,
    copies: holders.map((ref) => ({
      ref,
      name: nameOf(ring, ref),
      inSync: entry.isr.some((member) => sameRef(member, ref)),
    })),
    movesTo: entry.owner === undefined || sameRef(wanted?.ref, entry.owner) ? undefined : wanted,
    file: filePath(hash, levels),
    ringVersion: ring.version,
  };
}
