import type { FollowedSlot } from "./followed_slot.ts";

/** What an acknowledgement of a batch says: this slot is on stable storage there through `lsn`. */
export interface Mark {
  readonly followed: FollowedSlot;
  /** It says nothing if the slot has begun anew since. */
  readonly session: number;
  readonly lsn: number;
}

interface SentBatch {
  readonly number: number;
  readonly bytes: number;
  readonly marks: readonly Mark[];
  /** It is part of a snapshot. */
  readonly part: boolean;
}

/** The batches of a stream that are under way, in order. */
export class SentBatches {
  #batches: SentBatch[] = [];
  #number = 0;
  /** Sum over the batches. */
  unackedBytes = 0;

  /** Returns the batch's number. */
  add(bytes: number, marks: readonly Mark[], part: boolean): number {
    const number = ++this.#number;
    this.#batches.push({ number, bytes, marks, part });
    this.unackedBytes += bytes;
    return number;
  }

  /** All through `number` was acknowledged: the marks that still count, and how many parts of snapshots were among. */
  acked(number: number): { readonly marks: Mark[]; readonly parts: number } {
    const marks: Mark[] = [];
    let count = 0;
    let parts = 0;
    for (const batch of this.#batches) {
      if (batch.number > number) break;
      count++;
      if (batch.part) parts++;
      this.unackedBytes -= batch.bytes;
      for (const mark of batch.marks) if (mark.followed.session === mark.session) marks.push(mark);
    }
    this.#batches.splice(0, count);
    return { marks, parts };
  }

  /** A new stream begins. */
  clear(): void {
    this.#batches = [];
    this.#number = 0;
    this.unackedBytes = 0;
  }
}
