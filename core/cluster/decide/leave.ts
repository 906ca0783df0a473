/** Processes that go: those that have left, and those that are dead and needed by nobody. */

import type { NodeRef } from "../../ring/ring.ts";
import { type Answers, isIn, isNeeded, type RingChange, type View } from "./view.ts";

/**
 * Takes processes off the ring that have left, or that are dead: data nodes when they hold nothing which others do not
 * have, and standbys that own nothing, which are listed again when they are back.
 */
export function drop(view: View): RingChange | undefined {
  const { ring, data, standbys } = view;
  const registered = new Set([...data, ...standbys].map(({ ref }) => ref.id));
  const isGone = ({ id }: NodeRef) => view.lost.get(id) === "dead" && !isNeeded(view, NOBODY, id);
  const nodes = ring.nodes.filter(({ ref, leaving }) => {
    const hasLeft = leaving && !registered.has(ref.id) && !ring.slots.some(({ isr }) => isIn(isr, ref.id));
    return !hasLeft && !isGone(ref);
  });
  // Listed, a dead one would be chosen for slots in the place of those who can copy them. In-sync sets keep it.
  const staying = ring.standbys.filter(({ ref }) =>
    registered.has(ref.id) || view.lost.get(ref.id) !== "dead" ||
    ring.slots.some(({ owner }) => owner?.id === ref.id)
  );
  if (nodes.length === ring.nodes.length && staying.length === ring.standbys.length) return undefined;
  return { ...ring, nodes, standbys: staying };
}

const NOBODY: Answers = new Map();
