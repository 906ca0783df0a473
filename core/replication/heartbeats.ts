import type { Heartbeat, HeartbeatReply, SlotDigest } from "../../proto/gen/kv/v1/cluster.ts";
import type { Clock } from "../platform/ports.ts";
import type { Engine } from "../storage/engine.ts";
import type { FollowedSlot } from "./followed_slot.ts";
import type { SlotOwner } from "./slot_owner.ts";
import type { TransferProgress } from "./snapshot_sender.ts";

export interface HeartbeatsParts {
  readonly engine: Engine;
  readonly clock: Clock;
  /** The follower knows of a later owner of the slot. */
  readonly deposed: (owner: SlotOwner, epoch: number) => void;
  /** What the follower's copy amounted to when it had committed what the heartbeat named. */
  readonly compared: (followed: FollowedSlot, digest: SlotDigest) => void;
}

interface SentHeartbeat {
  readonly sentMs: number;
  readonly sentWallMs: number;
  readonly followed: readonly FollowedSlot[];
}

/**
 * Heartbeats to one follower process: each asks for its promises of all slots that it copies, and an answer counts from
 * when its heartbeat was sent.
 */
export class Heartbeats {
  #numbers = 0;
  readonly #unanswered = new Map<number, SentHeartbeat>();

  constructor(private readonly parts: HeartbeatsParts) {}

  /** The next one. `comparedSlot`: of which the follower is to tell the digest. */
  next(
    followed: readonly FollowedSlot[],
    transfer: TransferProgress | undefined,
    comparedSlot: number | undefined,
  ): Heartbeat {
    const { clock, engine } = this.parts;
    const number = ++this.#numbers;
    const sentMs = clock.monotonicMs();
    this.#unanswered.set(number, { sentMs, sentWallMs: clock.wallMs(), followed });
    for (const { follower } of followed) follower.askedMs ??= sentMs;
    const slots = followed.map(({ slot }) => slot);
    const epochs = followed.map(({ owner }) => owner.epoch);
    const committedLsns = slots.map((slot) => engine.slot(slot).committedLsn);
    return { number, slots, epochs, committedLsns, comparedSlot, transfer };
  }

  /** `isFollowed`: whether the slot is still sent to the follower for the same owner. */
  heard(reply: HeartbeatReply, isFollowed: (followed: FollowedSlot) => boolean): void {
    const { number, refusedSlots, refusedEpochs, releasedSlots, digest } = reply;
    const heartbeat = this.#unanswered.get(number);
    if (heartbeat === undefined) return;
    for (const earlier of this.#unanswered.keys()) if (earlier <= number) this.#unanswered.delete(earlier);
    const refused = new Map(refusedSlots.map((slot, i) => [slot, refusedEpochs[i]!]));
    const released = new Set(releasedSlots);
    for (const followed of heartbeat.followed) {
      const { owner, follower, slot } = followed;
      // The answer counts for the epoch that was named.
      if (!isFollowed(followed)) continue;
      follower.askedMs = undefined;
      follower.downSinceMs = undefined;
      const epoch = refused.get(slot);
      if (epoch !== undefined) {
        if (epoch > owner.epoch) this.parts.deposed(owner, epoch);
        continue;
      }
      if (released.has(slot)) owner.released();
      owner.promised(follower, heartbeat.sentMs, heartbeat.sentWallMs);
      if (digest?.slot === slot) this.parts.compared(followed, digest);
    }
  }

  /** Answers to what was sent so far do not count. */
  forget(): void {
    this.#unanswered.clear();
  }
}
