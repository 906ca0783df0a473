/** What would move if the ring were another one: pure, from the ring as it is, the ring as it would be, and the sizes. */

import { followersOf, placementOf } from "../../ring/followers.ts";
import { nextLabel } from "../../ring/labels.ts";
import { withNode } from "../../ring/members.ts";
import { type NodeRef, type Ring, type RingNode, sameRef } from "../../ring/ring.ts";
import type { Picture } from "./picture.ts";

/** From one node to another. */
export interface Move {
  readonly from: NodeRef;
  readonly to: NodeRef;
  /** Ascending: those that it is to own. */
  readonly handedOver: readonly number[];
  /** Ascending: those that are copied to it; it is in sync with the others already. */
  readonly copied: readonly number[];
  /** Keys and bytes that are copied, as far as their owners tell. */
  readonly keys: number;
  readonly bytes: number;
}

export interface Plan {
  readonly moves: readonly Move[];
  /** Slots that would be copied, and whose owner does not tell how large they are. */
  readonly sizeUnknown: readonly number[];
  /** At the rate that the nodes are configured with, all of them sending at once. */
  readonly seconds: number;
}

/** Stands for a node that there is not yet. */
const NEWCOMER: NodeRef = { id: "new", incarnation: 1 };

/** The ring with one more data node; undefined when all seats are taken. */
export function ringWithNewcomer(ring: Ring): { ring: Ring; node: RingNode } | undefined {
  const label = nextLabel(ring.nodes.map((node) => node.label), ring.settings.msn);
  if (label === undefined) return undefined;
  const node = { ref: NEWCOMER, address: "new", label, leaving: false };
  return { ring: withNode(ring, node), node };
}

/** What must be copied and handed over until the cluster is as `after` wants it; what is under way is part of it. */
export function planMoves(picture: Picture, after: Ring): Plan {
  const moves = new Moves(picture);
  const placement = placementOf(after);
  for (const [slot, { owner, isr }] of picture.ring.slots.entries()) {
    if (owner === undefined) continue;
    for (const ref of followersOf(after, slot, placement)) {
      if (!isr.some((member) => sameRef(member, ref))) moves.copy(slot, owner, ref);
    }
    const wanted = placement.wanted[slot]?.ref;
    if (wanted !== undefined && !sameRef(wanted, owner)) moves.handOver(slot, owner, wanted);
  }
  return moves.plan;
}

class Moves {
  readonly #moves = new Map<string, Move & { readonly handedOver: number[]; readonly copied: number[] }>();
  readonly #sizeUnknown = new Set<number>();

  constructor(private readonly picture: Picture) {}

  copy(slot: number, from: NodeRef, to: NodeRef): void {
    const told = this.picture.told(slot);
    if (told === undefined) this.#sizeUnknown.add(slot);
    const { keys, bytes, ...move } = this.#move(from, to);
    move.copied.push(slot);
    this.#moves.set(keyOf(from, to), {
      ...move,
      keys: keys + (told?.keys ?? 0),
      bytes: bytes + (told?.bytes ?? 0),
    });
  }

  handOver(slot: number, from: NodeRef, to: NodeRef): void {
    const move = this.#move(from, to);
    move.handedOver.push(slot);
    this.#moves.set(keyOf(from, to), move);
  }

  get plan(): Plan {
    const moves = [...this.#moves.values()];
    const seconds = moves.map(({ from, bytes }) => {
      const rate = this.picture.replyOf(from)?.transferBytesPerSecond ?? 0;
      return rate > 0 ? bytes / rate : 0;
    });
    return { moves, sizeUnknown: [...this.#sizeUnknown], seconds: Math.max(0, ...seconds) };
  }

  #move(from: NodeRef, to: NodeRef) {
    return this.#moves.get(keyOf(from, to)) ?? { from, to, handedOver: [], copied: [], keys: 0, bytes: 0 };
  }
}

function keyOf(from: NodeRef, to: NodeRef): string {
  return `${from.id}>${to.id}`;
}
