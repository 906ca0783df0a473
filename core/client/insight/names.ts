/** How nodes and slots are called in what people read. */

import { type NodeRef, type Ring, sameRef } from "../../ring/ring.ts";
import { slotRuns } from "../../ring/slot_runs.ts";

/** `data 127.0.0.1:9701 (label 68)`, `standby 127.0.0.1:9801`, or the id of one that the ring does not list. */
export function nameOf({ nodes, standbys }: Ring, ref: NodeRef): string {
  const node = nodes.find((each) => sameRef(each.ref, ref));
  if (node !== undefined) return `data ${node.address} (label ${node.label})`;
  const standby = standbys.find((each) => sameRef(each.ref, ref));
  return standby === undefined ? `node ${ref.id} (not listed now)` : `standby ${standby.address}`;
}

/** `slot 7`, `slots 0..34, 130`: ascending slots, runs merged. */
export function slotsName(slots: readonly number[]): string {
  return `${slots.length === 1 ? "slot" : "slots"} ${slotRuns(slots)}`;
}

/** `1 slot`, `2 slots`. */
export function countOf(count: number, what: string): string {
  return `${count} ${what}${count === 1 ? "" : "s"}`;
}
