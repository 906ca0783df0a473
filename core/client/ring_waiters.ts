import { KvError } from "../platform/errors.ts";
import type { Cancel, Clock } from "../platform/ports.ts";
import type { Ring } from "../ring/ring.ts";

interface Waiter {
  readonly resolve: (ring: Ring) => void;
  readonly reject: (error: KvError) => void;
  readonly cancelTimeout: Cancel;
}

/** Those who wait for the first ring. */
export class RingWaiters {
  readonly #waiters = new Set<Waiter>();

  constructor(private readonly clock: Clock) {}

  /** Rejects with `unavailable`, the time limit and `explain()`, when it passes. */
  add(timeoutMs: number, explain: () => string): Promise<Ring> {
    return new Promise((resolve, reject) => {
      const cancelTimeout = this.clock.after(timeoutMs, () => {
        this.#waiters.delete(waiter);
        reject(new KvError("unavailable", `no ring within ${timeoutMs} ms: ${explain()}`));
      });
      const waiter: Waiter = { resolve, reject, cancelTimeout };
      this.#waiters.add(waiter);
    });
  }

  settle(ring: Ring): void {
    for (const { cancelTimeout, resolve } of this.#take()) {
      cancelTimeout();
      resolve(ring);
    }
  }

  close(): void {
    for (const { cancelTimeout, reject } of this.#take()) {
      cancelTimeout();
      reject(new KvError("unavailable", "the client was closed"));
    }
  }

  #take(): Waiter[] {
    const waiters = [...this.#waiters];
    this.#waiters.clear();
    return waiters;
  }
}
