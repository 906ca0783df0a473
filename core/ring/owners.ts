import { type Ring, type RingNode, sameRef } from "./ring.ts";

/** Stands for the label of an owner that has no seat. */
export const NO_LABEL = -1;

/**
 * All that own slots or may: the data nodes, in order of label, and behind them standbys that have stepped in for a dead
 * node whose label another one got. They have no seat, and hand over as soon as they can.
 */
export function ownersOf({ nodes, standbys, slots }: Ring): RingNode[] {
  const steppedIn = standbys.filter(({ ref }) => slots.some(({ owner }) => sameRef(owner, ref)));
  return [...nodes, ...steppedIn.map((standby) => ({ ...standby, label: NO_LABEL, leaving: false }))];
}
