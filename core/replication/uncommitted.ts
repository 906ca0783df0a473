/** What a record, or somebody more who waits for it, takes in memory besides key and value, about. */
const OVERHEAD_BYTES = 512;
/** A slot holds little that holds less than this part of the bound. */
const OWN_SHARE = 64;

/**
 * What the owners of a node hold in memory of writes that are not committed yet. Bounded for the node as a whole: its
 * disk, or that of a copy in sync, may hang for as long as it likes, and clients go on writing. Twice the bound at most.
 */
export class Uncommitted {
  #bytes = 0;

  constructor(readonly bytesMax: number) {}

  /**
   * Whether a slot that holds `ownBytes` of it may append one more write, however large. One that holds little may for
   * longer: others, whose copies do not answer, must not stop it.
   */
  mayTake(ownBytes: number): boolean {
    if (this.#bytes < this.bytesMax) return true;
    return ownBytes < this.bytesMax / OWN_SHARE && this.#bytes < 2 * this.bytesMax;
  }

  /** Why nothing is appended when it is full. */
  get why(): string {
    return `${this.bytesMax} bytes of writes (pendingBytesMax) wait to be stored by this node and the copies in sync`;
  }

  /** Returns what is to be given back. */
  take(contentBytes: number): number {
    const bytes = contentBytes + OVERHEAD_BYTES;
    this.#bytes += bytes;
    return bytes;
  }

  giveBack(bytes: number): void {
    this.#bytes -= bytes;
  }
}
