import { followersOf, placementOf } from "../../core/ring/followers.ts";
import { sameRef } from "../../core/ring/ring.ts";
import type { Cluster } from "./cluster.ts";

/** Whether the slot can be expected to take writes once all trouble is over. */
export function mustBeWritable({ invariants, rings, plan }: Cluster, slot: number): boolean {
  const { ring } = rings;
  const owner = ring?.slots[slot]?.owner;
  if (ring === undefined || owner === undefined) return true;
  // A standby may own it, without a seat.
  const standbys = ring.standbys.filter(({ ref }) => ref.id !== owner.id).length;
  const copies = ring.replicas === 0 ? standbys : Math.min(ring.replicas, standbys);
  return invariants.hasCopy(slot) && 1 + copies >= plan.config.minInSync;
}

/** Invariant 13, second half: what still differs between the copies of the slots that are in use. */
export function differences(cluster: Cluster): string[] {
  const { ring } = cluster.rings;
  if (ring === undefined) return ["there is no ring"];
  const placement = placementOf(ring);
  return ring.slots.flatMap((entry, slot) => {
    if (entry.owner === undefined || !cluster.invariants.hasCopy(slot)) return [];
    const members = entry.isr.map(({ id }) => id);
    // One that will never come back may still be listed for a slot that nobody else has.
    const lives = (id: string) => cluster.invariants.liveNode(id) !== undefined;
    const missing = followersOf(ring, slot, placement).filter(({ id }) => !members.includes(id) && lives(id));
    const wanted = placement.wanted[slot]?.ref;
    const moved = wanted === undefined || !lives(wanted.id) || sameRef(wanted, entry.owner);
    return [
      ...(moved ? [] : [`slot ${slot}: ${wanted.id} is to own it yet`]),
      ...missing.map(({ id }) => `slot ${slot}: ${id} follows and is not in sync`),
      ...differencesOf(cluster, slot, members),
    ];
  });
}

function differencesOf(cluster: Cluster, slot: number, members: readonly string[]): string[] {
  const { invariants } = cluster;
  // With fewer copies than minInSync, the last records may stay uncommitted for ever.
  const commits = mustBeWritable(cluster, slot);
  const found: string[] = [];
  let first: string | undefined;
  for (const id of members) {
    const log = invariants.liveNode(id)?.node.replica(slot)?.log;
    if (log === undefined) {
      found.push(`slot ${slot}: ${id} is listed in sync and does not live`);
      continue;
    }
    const { lastLsn, durableLsn, committedLsn, digest } = log;
    if (log.damage !== undefined) found.push(`slot ${slot}: the copy of ${id} is damaged`);
    const state = `last ${lastLsn}, durable ${durableLsn}, committed ${committedLsn}, digest ${digest}`;
    first ??= state;
    if (state !== first || (commits && committedLsn !== lastLsn)) {
      found.push(`slot ${slot}: ${id} has ${state}, not ${first}`);
    }
  }
  return found;
}
