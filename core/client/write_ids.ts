/**
 * A client id and the sequences of the writes made under it: together they let a write that is sent many times take
 * effect once.
 */
export class WriteIds {
  #next = 1;
  #lowestUnfinished = 1;
  /** Finished sequences above the lowest unfinished one. */
  readonly #finished = new Set<number>();

  /** `clientId`: 16 bytes, a UUID version 7. */
  constructor(readonly clientId: Uint8Array) {}

  /** The next sequence, from 1; unfinished until {@link finish}. */
  take(): number {
    return this.#next++;
  }

  /** Nobody waits for this write any more; it is never sent again. */
  finish(sequence: number): void {
    if (sequence !== this.#lowestUnfinished) {
      this.#finished.add(sequence);
      return;
    }
    this.#lowestUnfinished++;
    while (this.#finished.delete(this.#lowestUnfinished)) this.#lowestUnfinished++;
  }

  /** Servers may forget the results of all sequences below. */
  get lowestUnfinished(): number {
    return this.#lowestUnfinished;
  }
}
