import type { Cancel, Clock } from "../platform/ports.ts";

const PERIOD_MS = 50;
/** A timer that is late by no more than this is as good as in time. */
const LATE_MS = 10;

/**
 * Time as far as this process ran. While it was held up, by a machine that has other things to do, a suspended one, or
 * its own disk, it could not hear others either: that others were silent meanwhile says nothing.
 */
export class OwnTime {
  readonly stop: Cancel;
  /** For so long in all, up to the last tick. */
  #heldUpMs = 0;
  #tickedMs: number;

  constructor(private readonly clock: Clock) {
    this.#tickedMs = clock.monotonicMs();
    this.stop = clock.every(PERIOD_MS, () => {
      this.#heldUpMs += this.#lateMs();
      this.#tickedMs = clock.monotonicMs();
    });
  }

  nowMs(): number {
    return this.clock.monotonicMs() - this.#heldUpMs - this.#lateMs();
  }

  /** By how much the next tick is overdue. */
  #lateMs(): number {
    const lateMs = this.clock.monotonicMs() - this.#tickedMs - PERIOD_MS;
    return lateMs > LATE_MS ? lateMs : 0;
  }
}
