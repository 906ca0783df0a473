import type { Clock } from "../platform/ports.ts";

/** The clocks have parted: the machine was suspended, and its monotonic clock stood still; or the wall clock was set. */
export const CLOCKS_APART_MS = 50;

/**
 * What this node has promised to the owners whose slots it copies: not to serve a slot before a given time. And the
 * highest epoch that it knows of each slot: whoever speaks in a lower one is a deposed owner and is refused.
 *
 * Both live as long as the process. A start begins with a promise for every slot, since an earlier process may have
 * given one; and owners address a process by the incarnation that the ring lists, so that none of an older ring can
 * reach this one.
 */
export class Promises {
  /** Never falls. At least the last epoch in the slot's log. */
  readonly #highest: Float64Array;
  /** This node answers nothing for the slot before; by its monotonic clock. */
  readonly #notBeforeMs: Float64Array;
  /** The last epoch in which this process was entitled to answer for the slot, as its owner; 0: none. */
  readonly #entitled: Float64Array;
  readonly #startMs: number;
  #promiseMs = 0;

  constructor(private readonly clock: Clock, lastEpochs: readonly number[]) {
    this.#highest = Float64Array.from(lastEpochs);
    this.#notBeforeMs = new Float64Array(lastEpochs.length);
    this.#entitled = new Float64Array(lastEpochs.length);
    this.#startMs = clock.monotonicMs();
  }

  /** How long a promise holds; 0 as long as no ring is known, and then none can be given. */
  get promiseMs(): number {
    return this.#promiseMs;
  }

  /** To be called with the first ring. */
  learn(promiseMs: number): void {
    if (this.#promiseMs > 0) return;
    this.#promiseMs = promiseMs;
    this.#notBeforeMs.fill(this.#startMs + promiseMs);
  }

  highest(slot: number): number {
    return this.#highest[slot]!;
  }

  /** Takes notice of an epoch; false when a higher one is known. */
  accept(slot: number, epoch: number): boolean {
    if (epoch < this.#highest[slot]!) return false;
    this.#highest[slot] = epoch;
    return true;
  }

  /** Promises the owner of this epoch, from now on; to be called after {@link accept}. */
  promise(slot: number): void {
    this.#notBeforeMs[slot] = Math.max(this.#notBeforeMs[slot]!, this.clock.monotonicMs() + this.#promiseMs);
  }

  notBeforeMs(slot: number): number {
    return this.#notBeforeMs[slot]!;
  }

  /** This process may answer for the slot in this epoch, from now until it closes the slot. */
  entitle(slot: number, epoch: number): void {
    this.#entitled[slot] = epoch;
  }

  /** Whether this process was the owner of the epoch before, and was entitled to answer in it. */
  wasEntitledBefore(slot: number, epoch: number): boolean {
    return this.#entitled[slot] === epoch - 1 && epoch > 1;
  }

  /**
   * The entitled owner of the epoch before says that it answers no more. Nobody else can: whoever came before it had
   * ended when it became entitled.
   */
  release(slot: number): void {
    this.#notBeforeMs[slot] = 0;
  }
}
