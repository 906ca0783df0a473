/**
 * Assignments of slots that are evened out. The labels of the rule give arcs of different size; an assignment says for
 * each slot which label is to own it, so that no node has more than one slot more than another. Whoever comes or goes
 * changes it as little as that allows.
 */

import { ringDistance, ruleOwners } from "./placement.ts";
import type { Ring, RingNode } from "./ring.ts";

/** By slot the label that is to own it: as it is assigned, else by the rule. */
export function targetLabels({ settings, nodes, assigned }: Ring): ArrayLike<number> {
  const labels = stayingLabels(nodes);
  return assigned.length === 0 ? ruleOwners(labels, settings.msn) : evenedOut(assigned, labels);
}

/** The assignment for these nodes; none where none was. */
export function keptEven({ nodes, assigned }: Pick<Ring, "nodes" | "assigned">): readonly number[] {
  return evenedOut(assigned, stayingLabels(nodes));
}

/**
 * With an assignment that moves as few slots as possible from where they are; `undo`: without one, as the rule wants it.
 * The ring itself when there is nothing to change; a text is the reason for a refusal.
 */
export function rebalanced(ring: Ring, undo: boolean): Ring | string {
  if (undo === (ring.assigned.length === 0)) return ring;
  if (undo) return { ...ring, assigned: [] };
  const labels = stayingLabels(ring.nodes);
  if (labels.length === 0) return "there is no data node that could own slots";
  const byRule = ruleOwners(labels, ring.settings.msn);
  const byId = new Map(ring.nodes.map(({ ref, label, leaving }) => [ref.id, leaving ? undefined : label]));
  const present = ring.slots.map(({ owner }, slot) => byId.get(owner?.id ?? "") ?? byRule[slot]!);
  return { ...ring, assigned: evenedOut(present, labels) };
}

/**
 * The assignment nearest to `from` in which the shares of `labels` differ by one slot at most; `from` itself if it is
 * one. No other moves fewer slots. What lies at other labels is free to be taken.
 */
export function evenedOut(from: readonly number[], labels: readonly number[]): readonly number[] {
  if (from.length === 0 || labels.length === 0) return from;
  const { free, room } = trimmed(from, labels);
  if (free.length === 0) return from;
  const assigned = [...from];
  for (const slot of free.toSorted((a, b) => a - b)) {
    const label = nearest(slot, room.keys(), from.length);
    assigned[slot] = label;
    const left = room.get(label)! - 1;
    if (left > 0) room.set(label, left);
    else room.delete(label);
  }
  return assigned;
}

/** The slots that need another label, and how many each label may get. */
function trimmed(
  from: readonly number[],
  labels: readonly number[],
): { free: number[]; room: Map<number, number> } {
  const shares = new Map(labels.map((label): [number, number[]] => [label, []]));
  const free: number[] = [];
  for (const [slot, label] of from.entries()) (shares.get(label) ?? free).push(slot);
  const least = Math.floor(from.length / labels.length);
  const larger = from.length % labels.length;
  // The larger shares go to those who have most already: nothing moves for their sake.
  const sized = [...shares].toSorted(([a, hasA], [b, hasB]) => hasB.length - hasA.length || a - b)
    .map(([label, share], i) => ({ label, share, size: least + (i < larger ? 1 : 0) }));
  const lacking = sized.filter(({ share, size }) => share.length < size);
  const room = new Map(lacking.map(({ label, share, size }) => [label, size - share.length]));
  for (const { label, share, size } of sized) {
    if (share.length <= size) continue;
    free.push(...movableFirst(share, label, room, from.length).slice(0, share.length - size));
  }
  return { free, room };
}

/** Those first that are nearest to a label with room, and farthest from their own: so that shares stay together. */
function movableFirst(
  slots: readonly number[],
  own: number,
  room: ReadonlyMap<number, number>,
  msn: number,
): number[] {
  const detour = new Map(slots.map((slot) => {
    const away = ringDistance(slot, nearest(slot, room.keys(), msn), msn);
    return [slot, away - ringDistance(slot, own, msn)];
  }));
  return slots.toSorted((a, b) => detour.get(a)! - detour.get(b)! || a - b);
}

function nearest(slot: number, labels: Iterable<number>, msn: number): number {
  let best = -1;
  let bestDistance = Infinity;
  for (const label of labels) {
    const distance = ringDistance(slot, label, msn);
    if (distance > bestDistance || distance === bestDistance && label > best) continue;
    [best, bestDistance] = [label, distance];
  }
  return best;
}

function stayingLabels(nodes: readonly RingNode[]): number[] {
  return nodes.filter(({ leaving }) => !leaving).map(({ label }) => label);
}
