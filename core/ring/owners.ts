import { type Ring, type RingNode, sameRef } from "./ring.ts";

/** Stands for the label of an owner that has no seat. */
export const NO_LABEL = -1;

/**
 * All that own slots or may: the data nodes, in order of label, and behind them standbys that have stepped in for a dead
 * node whose label another one got. They have no seat, and hand over as soon as they can.
 */
export function ownersOf(ring: Ring): RingNode[] {
  return membersOf(ring).filter(({ label, ref }) =>
    label !== NO_LABEL || ring.slots.some(({ owner }) => sameRef(owner, ref))
  );
}

/** The data nodes, in order of label, and behind them the standbys, which have no seat. */
export function membersOf({ nodes, standbys }: Ring): RingNode[] {
  return [...nodes, ...standbys.map((standby) => ({ ...standby, label: NO_LABEL }))];
}
