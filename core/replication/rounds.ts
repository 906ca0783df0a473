import { ProposalKind } from "../../proto/gen/kv/v1/cluster.ts";
import type { Clock } from "../platform/ports.ts";
import type { Engine } from "../storage/engine.ts";
import type { Wish } from "./proposals.ts";
import type { SlotOwner } from "./slot_owner.ts";

/** Between two rounds. Each change of the ring costs all processes, and the coordinator a sync. */
const ROUND_MS = 500;
/** How long writes to a slot are held off for its hand-over. */
const HOLD_MS = 100;
/** How long a round waits for the held slots that are not complete yet; the others' holds must not run out. */
const COMPLETE_WITHIN_MS = 80;
/** After a hand-over that did not come about. */
const HAND_OVER_AGAIN_MS = 1000;

/** A wish with the owner whose slot it is about. */
export interface OwnedWish {
  readonly owner: SlotOwner;
  readonly wish: Wish;
}

/**
 * Collects the changes that nobody waits for, so that those of many slots are one change of the ring: hand-overs,
 * removals of copies that are of no more use, and, while whole slots are on their way, additions.
 */
export class Rounds {
  #nextMs = 0;
  /** The round is due, and waits for slots that are held to be complete at their successors. */
  #open = false;
  #openUntilMs = 0;
  readonly #handOverNotBeforeMs = new Map<number, number>();

  constructor(private readonly clock: Clock, private readonly engine: Engine) {}

  /** The round waits for slots that are held: it is to be looked at again soon. */
  get open(): boolean {
    return this.#open;
  }

  /** Those of the wishes that the master is to be asked for now. */
  due(wishes: readonly OwnedWish[], transferring: boolean): OwnedWish[] {
    const nowMs = this.clock.monotonicMs();
    const urgent = wishes.filter(({ wish }) => isUrgent(wish, transferring));
    if (urgent.length === wishes.length) this.#open = false;
    else if (this.#open || nowMs >= this.#nextMs) return this.#round(wishes, urgent, nowMs);
    return urgent;
  }

  #round(wishes: readonly OwnedWish[], urgent: OwnedWish[], nowMs: number): OwnedWish[] {
    const handOvers = wishes.filter(({ wish }) => wish.kind === ProposalKind.HAND_OVER);
    for (const { owner } of handOvers) this.#hold(owner, nowMs);
    const held = handOvers.filter(({ owner }) => owner.held);
    const complete = held.filter((handOver) => this.#isComplete(handOver));
    if (!this.#open) this.#openUntilMs = nowMs + COMPLETE_WITHIN_MS;
    this.#open = complete.length < held.length && nowMs < this.#openUntilMs;
    if (this.#open) return urgent;
    this.#nextMs = nowMs + ROUND_MS;
    return wishes.filter((owned) => owned.wish.kind !== ProposalKind.HAND_OVER || complete.includes(owned));
  }

  #hold(owner: SlotOwner, nowMs: number): void {
    if (owner.held || nowMs < (this.#handOverNotBeforeMs.get(owner.slot) ?? 0)) return;
    this.#handOverNotBeforeMs.set(owner.slot, nowMs + HAND_OVER_AGAIN_MS);
    owner.hold(HOLD_MS);
  }

  /** The successor has everything. */
  #isComplete({ owner, wish: { follower } }: OwnedWish): boolean {
    return owner.idle && follower.ackedLsn === this.engine.slot(owner.slot).lastLsn;
  }
}

function isUrgent({ kind, reason }: Wish, transferring: boolean): boolean {
  return reason !== undefined || (kind === ProposalKind.ADD && !transferring);
}
