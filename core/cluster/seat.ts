/** What a ring makes of a process. */

import { placementOf } from "../ring/followers.ts";
import { type NodeRef, type Ring, sameRef } from "../ring/ring.ts";
import type { NodeRole } from "./role.ts";

/** Undefined: it does not list this process. */
export function roleIn({ nodes, standbys }: Ring, self: NodeRef): NodeRole | undefined {
  if (nodes.some(({ ref }) => sameRef(ref, self))) return "data";
  return standbys.some(({ ref }) => sameRef(ref, self)) ? "standby" : undefined;
}

/** Whether it owns all slots that it should own by the rule. */
export function hasShare(ring: Ring, self: NodeRef): boolean {
  const { wanted } = placementOf(ring);
  return ring.slots.every(({ owner }, slot) => !sameRef(wanted[slot]?.ref, self) || sameRef(owner, self));
}
