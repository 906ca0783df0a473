import { type Proposal, ProposalKind } from "../../proto/gen/kv/v1/cluster.ts";
import type { FollowerStatus, MismatchStatus } from "../../proto/gen/kv/v1/kv.ts";
import { messageOf } from "../platform/errors.ts";
import type { Cancel, Clock } from "../platform/ports.ts";
import { addressOf, followersOf, type Placement, placementOf, superfluousOf } from "../ring/followers.ts";
import { type NodeRef, type Ring, sameRef } from "../ring/ring.ts";
import { Comparison } from "./comparison.ts";
import type { Follower } from "./follower.ts";
import { FollowedSlot } from "./followed_slot.ts";
import { Link, type LinkParts } from "./link.ts";
import { nextWish, type Patience, proposalOf } from "./proposals.ts";
import { CLOCKS_APART_MS, type Promises } from "./promises.ts";
import { type OwnedWish, Rounds } from "./rounds.ts";
import type { SlotOwner } from "./slot_owner.ts";

const HEARTBEATS_PER_PROMISE = 4;
const STALLED_MS = 1000;
const DOWN_MS = 200;
/** Events that come together are looked at together. */
const WAKE_MS = 5;

export interface ReplicatorParts extends Omit<LinkParts, "ringVersion" | "compared" | "wake"> {
  readonly clock: Clock;
  readonly compareEveryMs: number;
  /** A member that lacks what was written so long ago is to leave the in-sync set. */
  readonly lagMsMax: number;
  readonly promises: Promises;
  /** Asks the active master; resolves with the ring as it is then. Rejects when it does not answer. */
  readonly propose: (proposals: Proposal[]) => Promise<void>;
}

/**
 * The owner's side of replication for all slots of a node: keeps a link to each process that copies any of them, sends
 * heartbeats, and asks the master for changes of the in-sync sets.
 */
export class Replicator {
  readonly #links = new Map<string, Link>();
  readonly #owners = new Map<number, SlotOwner>();
  readonly #comparison: Comparison;
  readonly #rounds: Rounds;
  #ring: Ring | undefined;
  #placement: Placement | undefined;
  #cancelHeartbeat: Cancel | undefined;
  #heartbeatMs = 0;
  /** The last heartbeat, or later: this process was held up until then. */
  #awakeMs = 0;
  #cancelWake: Cancel | undefined;
  #proposing = false;
  /** Of the monotonic clock, at the last heartbeat. */
  #wallAheadMs: number | undefined;
  #stopped = false;

  constructor(private readonly parts: ReplicatorParts) {
    const wrong = (...which: [SlotOwner, Follower, string]) => this.#mismatched(...which);
    this.#comparison = new Comparison({ ...parts, wrong });
    this.#rounds = new Rounds(parts.clock, parts.engine);
    parts.engine.onWritten((slots) => {
      let sent = false;
      for (const link of this.#links.values()) sent = link.written(slots) || sent;
      return sent;
    });
  }

  /** Takes up a newer ring; `owners` are the slots that this node owns in it. */
  adopt(ring: Ring, owners: ReadonlyMap<number, SlotOwner>): void {
    if (this.#stopped) return;
    this.#ring = ring;
    const placement = this.#placement = placementOf(ring);
    for (const [slot, owner] of this.#owners) if (owners.get(slot) !== owner) this.leave(slot);
    if (this.#cancelHeartbeat === undefined) {
      const { clock } = this.parts;
      this.#heartbeatMs = ring.promiseMs / HEARTBEATS_PER_PROMISE;
      this.#awakeMs = clock.monotonicMs();
      this.#cancelHeartbeat = clock.every(this.#heartbeatMs, () => this.#beat());
    }
    for (const [slot, owner] of owners) {
      // Deposed, though this ring does not know it yet: its log may be another's by now.
      if (owner.state === "closed") continue;
      this.#owners.set(slot, owner);
      owner.adopt(ring.slots[slot]!, followersOf(ring, slot, placement));
      for (const follower of owner.inSync.followers) this.#follow(ring, owner, follower);
      for (const link of this.#links.values()) {
        const { followers } = owner.inSync;
        if (!followers.some(({ ref }) => sameRef(ref, link.to))) link.leave(slot);
      }
    }
    this.#prepare(ring, placement);
    for (const [name, link] of this.#links) {
      if (addressOf(ring, link.to) === link.address) continue;
      link.close();
      this.#links.delete(name);
    }
    this.#wake();
  }

  /** The node does not own the slot any more. */
  leave(slot: number): void {
    this.#owners.delete(slot);
    for (const link of this.#links.values()) link.leave(slot);
  }

  /** Who copies the slots of this node, and how far they are. */
  followers(): FollowerStatus[] {
    const { engine } = this.parts;
    return [...this.#links.values()].filter(({ slots }) => slots.size > 0).map(
      ({ to, address, slots, transfer }) => {
        const followed = [...slots.values()];
        const behind = followed.map(({ slot, follower }) => engine.slot(slot).lastLsn - follower.ackedLsn);
        return {
          node: to,
          address,
          slots: followed.length,
          inSync: followed.filter(({ follower }) => follower.inRing).length,
          lag: Math.max(0, ...behind),
          transfer,
        };
      },
    );
  }

  /** Copies of its slots that this node has found not to be the same. */
  mismatches(): MismatchStatus[] {
    return this.#comparison.mismatches();
  }

  stop(): void {
    this.#stopped = true;
    this.#cancelHeartbeat?.();
    this.#cancelWake?.();
    for (const link of this.#links.values()) link.close();
    this.#links.clear();
    this.#owners.clear();
  }

  #follow(ring: Ring, owner: SlotOwner, follower: Follower): void {
    const link = this.#linkTo(ring, follower.ref);
    if (link === undefined) return;
    const followed = link.slots.get(owner.slot);
    if (followed?.owner === owner && followed.follower === follower) return;
    link.follow(new FollowedSlot(owner, follower, this.parts.engine));
  }

  /** Slots that are about to be handed over to this node pause for as long as it takes to reach their copies. */
  #prepare(ring: Ring, placement: Placement): void {
    const { self } = this.parts;
    for (const [slot, { owner, isr }] of ring.slots.entries()) {
      if (!sameRef(placement.wanted[slot]?.ref, self) || owner === undefined || sameRef(owner, self)) {
        continue;
      }
      if (!isr.some((ref) => sameRef(ref, self))) continue;
      for (const ref of isr) if (!sameRef(ref, self)) this.#linkTo(ring, ref);
    }
  }

  /** A link lasts as long as the ring has the process: it is needed again, as a rule. */
  #linkTo(ring: Ring, to: NodeRef): Link | undefined {
    const address = addressOf(ring, to);
    if (address === undefined) return undefined;
    const name = nameOf(to, address);
    return this.#links.get(name) ?? this.#open(name, to, address);
  }

  #open(name: string, to: NodeRef, address: string): Link {
    const link = new Link(
      {
        ...this.parts,
        ringVersion: () => this.#ring!.version,
        compared: (followed, digest) => this.#comparison.answered(followed, digest),
        wake: () => this.#wake(),
      },
      to,
      address,
    );
    this.#links.set(name, link);
    return link;
  }

  #mismatched(owner: SlotOwner, follower: Follower, reason: string): void {
    for (const link of this.#links.values()) {
      const followed = link.slots.get(owner.slot);
      if (followed?.owner === owner && followed.follower === follower) link.mismatched(followed, reason);
    }
  }

  #beat(): void {
    const { clock } = this.parts;
    const nowMs = clock.monotonicMs();
    const wallAheadMs = clock.wallMs() - nowMs;
    if (Math.abs(wallAheadMs - (this.#wallAheadMs ?? wallAheadMs)) > CLOCKS_APART_MS) this.#voidPromises();
    this.#wallAheadMs = wallAheadMs;
    this.#noteSleep(nowMs);
    this.#awakeMs = nowMs;
    const comparedSlot = this.#comparison.next(this.#owners);
    for (const link of this.#links.values()) link.heartbeat(comparedSlot);
    for (const [slot, owner] of this.#owners) {
      owner.due.note(this.parts.engine.slot(slot).writtenLsn, nowMs, this.parts.lagMsMax);
      if (owner.state === "starting") owner.advance();
    }
    void this.#consider();
  }

  /** An event loop looks at the time before it looks for answers: heartbeats that are late are the sign. */
  #noteSleep(nowMs: number): void {
    const heldUpMs = nowMs - this.#awakeMs - this.#heartbeatMs;
    if (heldUpMs <= 0) return;
    this.#awakeMs += heldUpMs;
    for (const { inSync, due } of this.#owners.values()) {
      due.forgive(heldUpMs, nowMs);
      for (const follower of inSync.followers) follower.forgive(heldUpMs, nowMs);
    }
  }

  /** What was promised before counts no more, nor does what is still on its way. */
  #voidPromises(): void {
    for (const link of this.#links.values()) link.voidHeartbeats();
    for (const owner of this.#owners.values()) owner.inSync.voidPromises();
  }

  #wake(): void {
    if (this.#stopped || this.#cancelWake !== undefined) return;
    this.#cancelWake = this.parts.clock.after(WAKE_MS, () => {
      this.#cancelWake = undefined;
      void this.#consider();
    });
  }

  /** Asks the master for what the slots wish for, all of them at once; again later if it does not answer. */
  async #consider(): Promise<void> {
    if (this.#proposing || this.#stopped || this.#ring === undefined) return;
    const proposals = this.#proposals(this.#ring, this.#placement!);
    if (proposals.length === 0) return;
    this.#proposing = true;
    try {
      await this.parts.propose(proposals);
    } catch (error) {
      this.parts.log("debug", "the master did not take proposals", { error: messageOf(error) });
    }
    this.#proposing = false;
    // It was not looked at meanwhile, and does not wait for long.
    if (this.#rounds.open) this.#wake();
  }

  #proposals(ring: Ring, placement: Placement): Proposal[] {
    this.#noteSleep(this.parts.clock.monotonicMs());
    const due = this.#rounds.due(this.#wishes(ring, placement), this.#transferring);
    if (this.#rounds.open) this.#wake();
    return due.map(({ owner: { slot, epoch, inSync }, wish }) => {
      const { kind, follower, reason } = wish;
      if (reason !== undefined) {
        const { id: node } = follower.ref;
        this.parts.log("debug", "a copy is to leave the in-sync set", { slot, node, reason });
      }
      // Counted in before the master is asked.
      if (kind === ProposalKind.ADD) inSync.propose(follower, this.parts.clock.monotonicMs());
      return proposalOf(slot, epoch, inSync.isrSeq, wish);
    });
  }

  #wishes(ring: Ring, placement: Placement): OwnedWish[] {
    const nowMs = this.parts.clock.monotonicMs();
    const patience: Patience = { stalledMs: STALLED_MS, silentMs: ring.promiseMs, downMs: DOWN_MS };
    const wishes: OwnedWish[] = [];
    for (const [slot, owner] of this.#owners) {
      if (owner.state === "closed") continue;
      const { committedLsn } = this.parts.engine.slot(slot);
      const { inSync, startLsn } = owner;
      const due = {
        soonLsn: owner.due.through(nowMs, STALLED_MS),
        lateLsn: owner.due.through(nowMs, this.parts.lagMsMax),
      };
      const neededLsn = startLsn === 0 ? Infinity : Math.max(committedLsn, startLsn);
      const owned = { inSync, due, neededLsn, serving: owner.state === "serving" };
      const wanted = {
        owner: placement.wanted[slot]?.ref,
        superfluous: superfluousOf(ring, slot, placement, inSync.members),
      };
      const wish = nextWish(owned, wanted, nowMs, patience);
      if (wish !== undefined) wishes.push({ owner, wish });
    }
    return wishes;
  }

  get #transferring(): boolean {
    return [...this.#links.values()].some(({ transfer }) => transfer !== undefined);
  }
}

function nameOf({ id, incarnation }: NodeRef, address: string): string {
  return `${id}/${incarnation}@${address}`;
}
