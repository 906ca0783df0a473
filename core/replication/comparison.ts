import type { SlotDigest } from "../../proto/gen/kv/v1/cluster.ts";
import type { MismatchStatus } from "../../proto/gen/kv/v1/kv.ts";
import type { Clock, Log } from "../platform/ports.ts";
import type { NodeRef } from "../ring/ring.ts";
import type { Engine } from "../storage/engine.ts";
import type { FollowedSlot } from "./followed_slot.ts";
import type { Follower } from "./follower.ts";
import type { SlotOwner } from "./slot_owner.ts";

/** For so long a mismatch is told to those who ask for the status. */
const TOLD_MS = 24 * 3_600_000;
const TOLD_MAX = 100;

export interface ComparisonParts {
  readonly self: NodeRef;
  readonly engine: Engine;
  readonly clock: Clock;
  readonly log: Log;
  /** 0: nothing is compared. */
  readonly compareEveryMs: number;
  /** The follower's copy of the slot is wrong. */
  readonly wrong: (owner: SlotOwner, follower: Follower, reason: string) => void;
}

/** One slot, asked of all that are in sync, at the LSN of the owner's own digest. */
interface Round {
  readonly owner: SlotOwner;
  readonly mine: SlotDigest;
  readonly asked: readonly Follower[];
  readonly answers: Map<Follower, SlotDigest>;
}

interface Mismatch {
  readonly slot: number;
  readonly lsn: number;
  readonly wrong: NodeRef[];
  readonly foundMs: number;
}

/**
 * Compares the slots of an owner, one after the other, with their copies in sync: what no checksum on a disk can show,
 * such as a record that was applied wrongly. Heartbeats carry it. They say how far a slot is committed, and those in
 * sync have all of that, so at each heartbeat a follower passes through the very state that the owner had when it sent
 * it; nobody waits.
 */
export class Comparison {
  #round: Round | undefined;
  #lastSlot = -1;
  #notBeforeMs = 0;
  #mismatches: Mismatch[] = [];

  constructor(private readonly parts: ComparisonParts) {}

  /** The slot that the heartbeats of this turn are to ask for; undefined: none. */
  next(owners: ReadonlyMap<number, SlotOwner>): number | undefined {
    const { clock, compareEveryMs } = this.parts;
    const nowMs = clock.monotonicMs();
    if (compareEveryMs === 0 || nowMs < this.#notBeforeMs) return undefined;
    this.#notBeforeMs = nowMs + compareEveryMs;
    const slots = [...owners.keys()].sort((a, b) => a - b);
    const start = slots.findIndex((slot) => slot > this.#lastSlot);
    for (const slot of start < 0 ? slots : [...slots.slice(start), ...slots.slice(0, start)]) {
      this.#round = this.#roundOf(owners.get(slot)!);
      if (this.#round !== undefined) return this.#lastSlot = slot;
    }
    return undefined;
  }

  /** A follower's answer. */
  answered({ owner, follower }: FollowedSlot, digest: SlotDigest): void {
    const round = this.#round;
    if (round?.owner !== owner || round.mine.lsn !== digest.lsn || !round.asked.includes(follower)) return;
    round.answers.set(follower, digest);
    if (round.answers.size < round.asked.length) return;
    this.#round = undefined;
    if (owner.state === "serving") this.#judge(round);
  }

  /** What was found in the last time. */
  mismatches(): MismatchStatus[] {
    const nowMs = this.parts.clock.monotonicMs();
    this.#mismatches = this.#mismatches.filter(({ foundMs }) => nowMs - foundMs < TOLD_MS);
    return this.#mismatches.map(({ foundMs, ...each }) => ({ ...each, agoMs: nowMs - foundMs }));
  }

  #roundOf(owner: SlotOwner): Round | undefined {
    if (owner.state !== "serving") return undefined;
    const asked = owner.inSync.followers.filter(({ inRing, streaming }) => inRing && streaming);
    const mine = asked.length === 0 ? undefined : digestOf(this.parts.engine, owner.slot);
    return mine && { owner, mine, asked, answers: new Map() };
  }

  #judge({ owner, mine, answers }: Round): void {
    const right = rightOf(mine, [...answers.values()]);
    const wrong = [...answers].filter(([, digest]) => !areSame(digest, right));
    const mineIsWrong = !areSame(mine, right);
    const { self, engine, clock, log } = this.parts;
    const { slot, lsn } = mine;
    if (wrong.length === 0 && !mineIsWrong) {
      return log("debug", "the copies of a slot are the same", { slot, lsn, copies: 1 + answers.size });
    }
    const refs = [...(mineIsWrong ? [self] : []), ...wrong.map(([{ ref }]) => ref)];
    const copies = [
      [self.id, mine] as const,
      ...[...answers].map(([{ ref }, each]) => [ref.id, each] as const),
    ];
    log("error", "the copies of a slot are not the same", {
      slot,
      lsn,
      copies: copies.map(([id, digest]) => `${id} ${textOf(digest)}`).join(", "),
      givenUp: refs.map(({ id }) => id).join(", "),
    });
    this.#mismatches.push({ slot, lsn, wrong: refs, foundMs: clock.monotonicMs() });
    if (this.#mismatches.length > TOLD_MAX) this.#mismatches.shift();
    const reasonOf = (digest: SlotDigest) =>
      `at lsn ${lsn} it is not like other copies: ${textOf(digest)} instead of ${textOf(right)}`;
    for (const [follower, digest] of wrong) this.parts.wrong(owner, follower, reasonOf(digest));
    if (mineIsWrong) engine.distrust(slot, reasonOf(mine));
  }
}

/** Undefined while the copy is of no use, or its state none that ever was. */
export function digestOf(engine: Engine, slot: number): SlotDigest | undefined {
  const { damage, incomplete } = engine.slot(slot);
  const digest = damage === undefined && !incomplete ? engine.digestAt(slot) : undefined;
  return digest && { slot, ...digest };
}

/** What most copies are; where no kind has most, what the owner's is: it was served and answered from. */
export function rightOf(owners: SlotDigest, others: readonly SlotDigest[]): SlotDigest {
  const all = [owners, ...others];
  return all.find((each) => 2 * all.filter((other) => areSame(each, other)).length > all.length) ?? owners;
}

function areSame(a: SlotDigest, b: SlotDigest): boolean {
  return a.keys === b.keys && a.entries === b.entries && a.results === b.results;
}

function textOf({ keys, entries, results }: SlotDigest): string {
  return `${keys} keys ${entries.toString(16)}-${results.toString(16)}`;
}
