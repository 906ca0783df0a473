/** Processes that go: those that ask for it, and those that are dead and needed by nobody. */

import { type NodeRef, type Ring, sameRef } from "../../ring/ring.ts";
import { type Answers, isIn, isNeeded, type RingChange, type View } from "./view.ts";

/**
 * The ring in which the process leaves: a data node is marked, so that its slots go to its neighbours; a standby is
 * struck off the list. Undefined when there is nothing to change; a text is the reason for a refusal.
 */
export function leave(ring: Ring, ref: NodeRef): RingChange | string | undefined {
  const owns = ring.slots.some(({ owner }) => sameRef(owner, ref));
  const standbys = ring.standbys.filter((standby) => !sameRef(standby.ref, ref));
  // One that has stepped in for a dead node first hands over.
  if (standbys.length < ring.standbys.length) return owns ? undefined : { ...ring, standbys };
  const node = ring.nodes.find((each) => sameRef(each.ref, ref));
  if (node === undefined || node.leaving) return undefined;
  if (!ring.nodes.some((each) => each !== node && !each.leaving)) {
    return "it is the last data node: there is no other that could take its slots";
  }
  return { ...ring, nodes: ring.nodes.map((each) => each === node ? { ...node, leaving: true } : each) };
}

/** Takes processes off the ring that have left, or that are dead and hold nothing which others do not have. */
export function drop(view: View): RingChange | undefined {
  const { ring, data, standbys } = view;
  const registered = new Set([...data, ...standbys].map(({ ref }) => ref.id));
  const isGone = ({ id }: NodeRef) => view.lost.get(id) === "dead" && !isNeeded(view, NOBODY, id);
  const nodes = ring.nodes.filter(({ ref, leaving }) => {
    const hasLeft = leaving && !registered.has(ref.id) && !ring.slots.some(({ isr }) => isIn(isr, ref.id));
    return !hasLeft && !isGone(ref);
  });
  const staying = ring.standbys.filter(({ ref }) =>
    registered.has(ref.id) || view.lost.get(ref.id) !== "dead" ||
    ring.slots.some(({ isr }) => isIn(isr, ref.id))
  );
  if (nodes.length === ring.nodes.length && staying.length === ring.standbys.length) return undefined;
  return { ...ring, nodes, standbys: staying };
}

const NOBODY: Answers = new Map();
