import type { NodeRef } from "../ring/ring.ts";

/** What the owner of a slot knows of one process that copies it, in the present epoch. */
export class Follower {
  /** The newest ring known lists it in the slot's in-sync set. */
  inRing = false;
  /**
   * The isrSeq at which the owner proposed it. It counts from before the master was asked until a ring with a higher
   * isrSeq is seen.
   */
  proposedSeq: number | undefined;
  /** When it was proposed first at that isrSeq. Defined <=> proposedSeq is. */
  proposedMs: number | undefined;
  /** Everything of the owner's log through here is on stable storage there. Falls only with a copy that was given up. */
  ackedLsn = 0;
  /** When that last rose. */
  ackedMs: number;
  /** It has promised not to serve before; by the owner's monotonic and wall clock. 0: no promise in this epoch. */
  promisedUntilMs = 0;
  promisedUntilWallMs = 0;
  /** Records of this epoch are being sent to it without gaps. */
  streaming = false;
  /** Its copy is of no use: damaged, or only partly there. */
  unusable = false;
  /** When it last refused the slot, such as for a full disk. */
  refusedMs = -Infinity;
  /** When the oldest heartbeat was sent that it has not answered; undefined: there is none. */
  askedMs: number | undefined;
  /** There is no stream to it since. */
  downSinceMs: number | undefined;

  constructor(readonly ref: NodeRef, nowMs: number) {
    this.ackedMs = this.downSinceMs = nowMs;
  }

  /** Its log agrees with the owner's through `lsn`, no further: what it acknowledged beyond went with an earlier copy. */
  agreesThrough(lsn: number): void {
    this.ackedLsn = Math.min(this.ackedLsn, lsn);
  }

  /** The owner was held up for so long: it has not seen what came meanwhile, and blames nobody for that time. */
  forgive(heldUpMs: number, nowMs: number): void {
    const later = (ms: number) => Math.min(nowMs, ms + heldUpMs);
    this.ackedMs = later(this.ackedMs);
    if (this.askedMs !== undefined) this.askedMs = later(this.askedMs);
    if (this.downSinceMs !== undefined) this.downSinceMs = later(this.downSinceMs);
  }

  /** Whether it is a member of the effective in-sync set. */
  get counts(): boolean {
    return this.inRing || this.proposedSeq !== undefined;
  }
}
