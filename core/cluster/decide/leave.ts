/** Processes that go: those that have left, and those that are dead and needed by nobody. */

import type { NodeRef, RingNode, RingStandby } from "../../ring/ring.ts";
import { type Answers, isIn, isNeeded, type RingChange, type View } from "./view.ts";

/**
 * Takes processes off the ring that have left, and data nodes that are dead and hold nothing which others do not have.
 * A standby that is dead is marked: as long as it was chosen for slots, nobody would be in its place. It stays listed
 * while it is in sync: it may be alive and cut off from the master alone, and owners reach it at the address there.
 */
export function drop(view: View): RingChange | undefined {
  const { ring, data, standbys } = view;
  const registered = new Set([...data, ...standbys].map(({ ref }) => ref.id));
  const isDead = ({ id }: NodeRef) => view.lost.get(id) === "dead";
  const hasLeft = ({ ref: { id }, leaving }: RingNode | RingStandby) =>
    leaving && !registered.has(id) && !ring.slots.some(({ isr }) => isIn(isr, id));
  const marked = ring.standbys.map((each) =>
    each.leaving || registered.has(each.ref.id) || !isDead(each.ref) ? each : { ...each, leaving: true }
  );
  const staying = marked.filter((each) => !hasLeft(each));
  const nodes = ring.nodes.filter((each) =>
    !hasLeft(each) && !(isDead(each.ref) && !isNeeded(view, NOBODY, each.ref.id))
  );
  const same = nodes.length === ring.nodes.length && staying.length === ring.standbys.length &&
    staying.every((each, i) => each === ring.standbys[i]);
  return same ? undefined : { ...ring, nodes, standbys: staying };
}

const NOBODY: Answers = new Map();
