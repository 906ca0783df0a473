/**
 * The master's decisions, without time or I/O: from the ring and the nodes that are registered to what the ring ought
 * to be and what must be asked before it may be so.
 */

import { nextLabel } from "../ring/labels.ts";
import { ruleOwners } from "../ring/placement.ts";
import { type NodeRef, type Ring, type RingNode, sameRef, type SlotEntry } from "../ring/ring.ts";
import type { Registered } from "./registration.ts";

/** The parts of a ring that a decision changes; the writer adds version, writer and nonce. */
export type RingChange = Pick<Ring, "nodes" | "slots">;

/** A new node, the seat it gets, and whose slots it would get. */
export interface Join {
  readonly candidate: Registered;
  readonly label: number;
  /** Present owners and the slots that each must confirm to be unwritten. Slots that nobody owns are not here. */
  readonly givenBy: readonly { readonly owner: RingNode; readonly slots: readonly number[] }[];
  /** What the ring is to be once all have confirmed. */
  readonly change: RingChange;
}

export type Decision =
  | { readonly kind: "nothing" }
  /** Restarted nodes are listed again: safe at once, their old incarnations have ended. */
  | { readonly kind: "write"; readonly change: RingChange }
  | { readonly kind: "join"; readonly join: Join }
  | { readonly kind: "refuse"; readonly candidate: Registered; readonly reason: string };

/** What to do next; to be called again after it was done. */
export function reconcile(ring: Ring, registered: readonly Registered[]): Decision {
  const live = registered.filter((node) => node.refused === undefined);
  const relisted = relist(ring, live);
  if (relisted !== undefined) return { kind: "write", change: relisted };
  const candidate = live.find((node) => !ring.nodes.some((seated) => seated.ref.id === node.ref.id));
  return candidate === undefined ? { kind: "nothing" } : decideJoin(ring, candidate);
}

/** Gives restarted or moved nodes their new incarnation and address; undefined when there are none. */
function relist(ring: Ring, live: readonly Registered[]): RingChange | undefined {
  const renewed = new Map<string, NodeRef>();
  const nodes = ring.nodes.map((node) => {
    const found = live.filter(({ ref }) => ref.id === node.ref.id)
      .reduce<Registered | undefined>(newest, undefined);
    if (found === undefined || found.ref.incarnation < node.ref.incarnation) return node;
    if (sameRef(found.ref, node.ref) && found.address === node.address) return node;
    renewed.set(node.ref.id, found.ref);
    return { ...node, ref: found.ref, address: found.address };
  });
  if (renewed.size === 0) return undefined;
  return { nodes, slots: mapEntries(ring.slots, (entry) => renew(entry, renewed)) };
}

function newest(a: Registered | undefined, b: Registered): Registered {
  return a === undefined || b.ref.incarnation > a.ref.incarnation ? b : a;
}

function renew(entry: SlotEntry, renewed: ReadonlyMap<string, NodeRef>): SlotEntry {
  const isr = entry.isr.map((ref) => renewed.get(ref.id) ?? ref);
  const owner = entry.owner && (renewed.get(entry.owner.id) ?? entry.owner);
  const ownerChanged = !sameRef(owner, entry.owner);
  if (!ownerChanged && isr.every((ref, i) => sameRef(ref, entry.isr[i]))) return entry;
  return { owner, isr, epoch: entry.epoch + (ownerChanged ? 1 : 0), isrSeq: entry.isrSeq + 1 };
}

function decideJoin(ring: Ring, candidate: Registered): Decision {
  const { msn } = ring.settings;
  const label = nextLabel(ring.nodes.map((node) => node.label), msn);
  if (label === undefined) {
    const reason =
      `all ${msn} seats of the ring are taken; a ring with more seats needs a new cluster with a larger msn`;
    return { kind: "refuse", candidate, reason };
  }
  const seat: RingNode = { ref: candidate.ref, address: candidate.address, label, leaving: false };
  const nodes = [...ring.nodes, seat].toSorted((a, b) => a.label - b.label);
  const owners = ruleOwners(nodes.map((node) => node.label), msn);
  const given = new Map<string, number[]>();
  const slots = ring.slots.map((entry, slot) => {
    if (owners[slot] !== label) return entry;
    if (entry.owner !== undefined) {
      const slotsOfOwner = given.get(entry.owner.id);
      if (slotsOfOwner === undefined) given.set(entry.owner.id, [slot]);
      else slotsOfOwner.push(slot);
    }
    return { owner: seat.ref, epoch: entry.epoch + 1, isr: [seat.ref], isrSeq: entry.isrSeq + 1 };
  });
  const givenBy = ring.nodes.flatMap((owner) => {
    const slotsOfOwner = given.get(owner.ref.id);
    return slotsOfOwner === undefined ? [] : [{ owner, slots: slotsOfOwner }];
  });
  return { kind: "join", join: { candidate, label, givenBy, change: { nodes, slots } } };
}

/** Runs of slots share one entry object; keeps it so. */
function mapEntries(entries: readonly SlotEntry[], change: (entry: SlotEntry) => SlotEntry): SlotEntry[] {
  const known = new Map<SlotEntry, SlotEntry>();
  return entries.map((entry) => {
    const changed = known.get(entry) ?? change(entry);
    known.set(entry, changed);
    return changed;
  });
}
