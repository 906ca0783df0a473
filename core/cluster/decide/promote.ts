/**
 * Failover: each slot whose owner is lost goes to a live member of its own in-sync set, and to nobody else. The label of
 * a lost data node goes to the standby that is in sync for most of its slots.
 */

import { addressOf } from "../../ring/followers.ts";
import { nextLabel } from "../../ring/labels.ts";
import type { NodeRef, Ring, RingNode, RingStandby, SlotEntry } from "../../ring/ring.ts";
import {
  answerOf,
  type Answers,
  canHave,
  isIn,
  isLost,
  isNeeded,
  type RingChange,
  type View,
} from "./view.ts";

/** A slot whose owner is lost, and the members of its in-sync set that have answered that they can be given it. */
interface OpenSlot {
  readonly slot: number;
  readonly entry: SlotEntry;
  readonly survivors: readonly NodeRef[];
}

/** A lost data node, and the standby that gets its label. */
interface Takeover {
  readonly node: RingNode;
  readonly heir: RingStandby;
}

/** Who must be asked before anybody is promoted: the owners once more, and those who could take their place. */
export function toAskForPromotion(view: View): NodeRef[] {
  const { ring, known } = view;
  const asked = new Map<string, NodeRef>();
  for (const [slot, { owner, isr }] of ring.slots.entries()) {
    if (owner === undefined || isr.length < 2) continue;
    if (!isLost(view, NOBODY, owner) && !answerOf(known, owner)?.unusable.has(slot)) continue;
    for (const ref of isr) asked.set(ref.id, ref);
  }
  return [...asked.values()];
}

const NOBODY: Answers = new Map();

export function promote(view: View, answers: Answers): RingChange | undefined {
  const { ring } = view;
  const open = openSlots(view, answers);
  if (open.length === 0) return undefined;
  const takeovers = chooseHeirs(view, answers, open);
  const heirs = new Map(takeovers.map(({ node, heir }) => [node.ref.id, heir.ref.id]));
  const slots = [...ring.slots];
  const load = loadOf(ring);
  for (const { slot, entry, survivors } of open) {
    const owner = chooseOwner(ring, survivors, heirs.get(entry.owner!.id), load);
    load.set(owner.id, (load.get(owner.id) ?? 0) + 1);
    slots[slot] = { ...entry, owner, epoch: entry.epoch + 1, isr: survivors, isrSeq: entry.isrSeq + 1 };
  }
  return { ...ring, ...seatHeirs(view, answers, takeovers, open), slots };
}

function openSlots(view: View, answers: Answers): OpenSlot[] {
  return view.ring.slots.flatMap((entry, slot) => {
    const { owner, isr } = entry;
    if (owner === undefined || !cannotServe(view, answers, owner, slot)) return [];
    // One that is not listed has no address for others; it will be given a seat first.
    const survivors = isr.filter((ref) =>
      ref.id !== owner.id && addressOf(view.ring, ref) !== undefined && canHave(answers, ref, slot)
    );
    return survivors.length === 0 ? [] : [{ slot, entry, survivors }];
  });
}

/** Lost, or its copy of this slot has turned out to be of no use. */
function cannotServe(view: View, answers: Answers, owner: NodeRef, slot: number): boolean {
  const answer = answerOf(answers, owner) ?? answerOf(view.known, owner);
  return isLost(view, answers, owner) || (answer?.unusable.has(slot) ?? false);
}

/** One heir for each lost data node for which a standby is in sync; a node that leaves needs none. */
function chooseHeirs(view: View, answers: Answers, open: readonly OpenSlot[]): Takeover[] {
  const { ring } = view;
  const settled = new Set(open.map(({ slot }) => slot));
  const takeovers: Takeover[] = [];
  let freeSeats = ring.settings.msn - ring.nodes.length;
  for (const node of ring.nodes) {
    if (node.leaving || !isLost(view, answers, node.ref)) continue;
    const free = ring.standbys.filter(({ ref, leaving }) =>
      !leaving && !takeovers.some(({ heir }) => heir.ref.id === ref.id)
    );
    const slots = open.filter(({ entry }) => entry.owner!.id === node.ref.id);
    const heir = inSyncForMost(free, slots);
    if (heir === undefined) continue;
    if (isNeeded(view, answers, node.ref.id, settled) && --freeSeats < 0) continue;
    takeovers.push({ node, heir });
  }
  return takeovers;
}

function inSyncForMost(
  standbys: readonly RingStandby[],
  slots: readonly OpenSlot[],
): RingStandby | undefined {
  let best: RingStandby | undefined;
  let most = 0;
  for (const standby of standbys) {
    const count = slots.filter(({ survivors }) => isIn(survivors, standby.ref.id)).length;
    if (count > most) [best, most] = [standby, count];
  }
  return best;
}

/** The heir of the label; else a data node, for it has a seat already; of several the one with the fewest slots. */
function chooseOwner(
  ring: Ring,
  survivors: readonly NodeRef[],
  heirId: string | undefined,
  load: ReadonlyMap<string, number>,
): NodeRef {
  const heir = survivors.find(({ id }) => id === heirId);
  if (heir !== undefined) return heir;
  const rank = ({ id }: NodeRef) =>
    (ring.nodes.some(({ ref }) => ref.id === id) ? 0 : ring.settings.msn) +
    (load.get(id) ?? 0);
  return survivors.reduce((best, ref) => rank(ref) < rank(best) ? ref : best);
}

function loadOf({ slots }: Ring): Map<string, number> {
  const load = new Map<string, number>();
  for (const { owner } of slots) if (owner !== undefined) load.set(owner.id, (load.get(owner.id) ?? 0) + 1);
  return load;
}

/** Heirs sit down. A lost node whose copies may still be needed moves to a free seat, where it gets nothing by the rule. */
function seatHeirs(
  view: View,
  answers: Answers,
  takeovers: readonly Takeover[],
  open: readonly OpenSlot[],
): Pick<Ring, "nodes" | "standbys"> {
  const { ring } = view;
  const settled = new Set(open.map(({ slot }) => slot));
  let nodes = [...ring.nodes];
  for (const { node, heir } of takeovers) {
    const seat = { ...heir, label: node.label };
    nodes = nodes.map((each) => each.ref.id === node.ref.id ? seat : each);
    if (!isNeeded(view, answers, node.ref.id, settled)) continue;
    const label = nextLabel(nodes.map((each) => each.label), ring.settings.msn)!;
    nodes.push({ ...node, label, leaving: true });
  }
  nodes.sort((a, b) => a.label - b.label);
  const seated = new Set(takeovers.map(({ heir }) => heir.ref.id));
  return { nodes, standbys: ring.standbys.filter(({ ref }) => !seated.has(ref.id)) };
}
