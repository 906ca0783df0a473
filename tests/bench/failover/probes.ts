/** Clients that read and write without a break, one on each slot of interest, and note when each operation ended how. */

import type { Client } from "../../../core/client/api.ts";
import { messageOf } from "../../../core/platform/errors.ts";
import { fnv1a32 } from "../../../core/ring/hash.ts";
import { eventually } from "../../e2e/harness/eventually.ts";

/** Between two operations of a probe: it adds this much to an outage at most, and leaves the machine to the servers. */
const PAUSE_MS = 4;
/** Operations are tried again and again by the client; one that takes longer has failed. */
const TIMEOUT_MS = 50_000;

const VALUE = new Uint8Array(100).fill(0x76);
const encoder = new TextEncoder();

export interface Sample {
  readonly slot: number;
  readonly write: boolean;
  readonly startMs: number;
  readonly endMs: number;
  /** Undefined: it succeeded. */
  readonly error: string | undefined;
}

export class Probes implements AsyncDisposable {
  /** In the order of their ends. */
  samples: Sample[] = [];

  readonly #running: Promise<void>[];
  #stopping = false;

  constructor(private readonly client: Client, readonly slots: readonly number[], msn: number) {
    this.#running = slots.map((slot) => this.#probe(slot, keyOf(slot, msn)));
  }

  /** Waits until a write that began after that moment has succeeded on each of the slots. */
  async writable(slots: ReadonlySet<number>, afterMs: number): Promise<void> {
    await eventually("a write succeeds on every slot", () => {
      const good = this.samples.filter(({ write, startMs, error }) => write && startMs > afterMs && !error);
      return slots.isSubsetOf(new Set(good.map(({ slot }) => slot))) || undefined;
    });
  }

  /** Waits until this many further operations have ended. */
  async more(operations: number): Promise<void> {
    const goal = this.samples.length + operations;
    await eventually(`${operations} more operations`, () => this.samples.length >= goal || undefined);
  }

  /** Starts anew with the notes. */
  forget(): void {
    this.samples = [];
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stopping = true;
    await Promise.all(this.#running);
  }

  async #probe(slot: number, key: Uint8Array): Promise<void> {
    const options = { timeoutMs: TIMEOUT_MS };
    for (let write = true; !this.#stopping; write = !write) {
      const startMs = performance.now();
      const operation = write ? this.client.put(key, VALUE, options) : this.client.get(key, options);
      const error = await operation.then(() => undefined, messageOf);
      this.samples.push({ slot, write, startMs, endMs: performance.now(), error });
      await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
    }
  }
}

/** A key that lies in the slot. */
function keyOf(slot: number, msn: number): Uint8Array {
  for (let i = 0;; i++) {
    const key = encoder.encode(`probe-${i}`);
    if (fnv1a32(key) % msn === slot) return key;
  }
}
