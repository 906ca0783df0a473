import type { Cancel, Clock } from "../platform/ports.ts";

/** Longer than a slot takes to change its owner, as a rule, and far shorter than clients wait. */
const DEFER_MS = 250;
/** Each holds the message that it came with. */
const DEFERRED_MAX = 128;

/**
 * Operations that came while their slot was not served: each is tried once more as soon as it is, or after a while. To
 * refuse them at once would have their clients ask again and again, and hear late that the slot is served.
 */
export class Deferrals {
  #again: (() => void)[] = [];
  #cancel: Cancel | undefined;

  constructor(private readonly clock: Clock) {}

  get size(): number {
    return this.#again.length;
  }

  /** False: too many are waiting. */
  add(again: () => void): boolean {
    if (this.#again.length >= DEFERRED_MAX) return false;
    this.#again.push(again);
    this.#cancel ??= this.clock.after(DEFER_MS, () => this.release());
    return true;
  }

  /** Has all tried, once the present change is complete. */
  release(): void {
    if (this.#again.length === 0) return;
    this.#cancel?.();
    this.#cancel = undefined;
    const all = this.#again;
    this.#again = [];
    queueMicrotask(() => all.forEach((again) => again()));
  }
}
