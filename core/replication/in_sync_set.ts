import { type NodeRef, sameRef, type SlotEntry } from "../ring/ring.ts";
import { Follower } from "./follower.ts";

/**
 * The followers of a slot as its owner sees them, and which of them count: the effective in-sync set is that of the
 * newest ring known, together with those that were proposed.
 *
 * Only the owner's proposal adds a member, and it counts before the master is asked; a member leaves only when the
 * ring says so. So whatever ring may be written, its in-sync set lies within this one.
 */
export class InSyncSet {
  readonly #followers: Follower[] = [];
  #effective: Follower[] = [];
  /** Of the newest ring known. */
  isrSeq = 0;
  /** Members of the ring's in-sync set, the owner included. */
  ringMembers = 0;
  /** All others of the effective set have promised not to serve before; Infinity when there are none. */
  leaseUntilMs = 0;
  leaseUntilWallMs = 0;

  get followers(): readonly Follower[] {
    return this.#followers;
  }

  /** The effective set, the owner included; another array whenever it changes. */
  members: readonly NodeRef[];

  constructor(private readonly self: NodeRef) {
    this.members = [self];
  }

  /** Without the owner. */
  get effective(): readonly Follower[] {
    return this.#effective;
  }

  get alone(): boolean {
    return this.#effective.length === 0;
  }

  /** Takes up a newer ring. `wanted`: who is to follow; members of the ring's in-sync set are among them. */
  adopt(entry: SlotEntry, wanted: readonly NodeRef[], nowMs: number): void {
    this.isrSeq = entry.isrSeq;
    this.ringMembers = entry.isr.length;
    for (const ref of wanted) {
      if (!this.#followers.some((follower) => sameRef(follower.ref, ref))) {
        this.#followers.push(new Follower(ref, nowMs));
      }
    }
    for (const follower of [...this.#followers]) {
      follower.inRing = entry.isr.some((ref) => sameRef(ref, follower.ref));
      if (follower.proposedSeq !== undefined && entry.isrSeq > follower.proposedSeq) {
        follower.proposedSeq = follower.proposedMs = undefined;
      }
      if (follower.counts || wanted.some((ref) => sameRef(ref, follower.ref))) continue;
      this.#followers.splice(this.#followers.indexOf(follower), 1);
    }
    this.#changed();
  }

  /** From now on the follower counts. */
  propose(follower: Follower, nowMs: number): void {
    if (follower.proposedSeq !== this.isrSeq) follower.proposedMs = nowMs;
    follower.proposedSeq = this.isrSeq;
    this.#changed();
  }

  /** Through which LSN all others have everything; Infinity when there are none. */
  ackedLsn(): number {
    let least = Infinity;
    for (const { ackedLsn } of this.#effective) if (ackedLsn < least) least = ackedLsn;
    return least;
  }

  /** The follower's promise was renewed. */
  promised(follower: Follower, untilMs: number, untilWallMs: number): void {
    if (untilMs < follower.promisedUntilMs) return;
    follower.promisedUntilMs = untilMs;
    follower.promisedUntilWallMs = untilWallMs;
    this.#lease();
  }

  voidPromises(): void {
    for (const follower of this.#followers) follower.promisedUntilMs = follower.promisedUntilWallMs = 0;
    this.#lease();
  }

  #changed(): void {
    this.#effective = this.#followers.filter((follower) => follower.counts);
    this.members = [this.self, ...this.#effective.map(({ ref }) => ref)];
    this.#lease();
  }

  #lease(): void {
    this.leaseUntilMs = Infinity;
    this.leaseUntilWallMs = Infinity;
    for (const { promisedUntilMs, promisedUntilWallMs } of this.#effective) {
      this.leaseUntilMs = Math.min(this.leaseUntilMs, promisedUntilMs);
      this.leaseUntilWallMs = Math.min(this.leaseUntilWallMs, promisedUntilWallMs);
    }
  }
}
