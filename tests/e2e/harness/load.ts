import type { Client } from "../../../core/client/api.ts";
import { eventually } from "./eventually.ts";

const WORKERS = 8;
const KEYS_PER_WORKER = 40;
/** Between two operations of a worker: this is a load to look at, not a benchmark. */
const PAUSE_MS = 2;

const decoder = new TextDecoder();

/**
 * Puts and gets without a break over keys that lie all around the ring. Each key has one writer, so that a get must
 * find exactly the last value put. Every error and every wrong value is a failure.
 */
export class Load implements AsyncDisposable {
  readonly failures: string[] = [];
  operations = 0;

  readonly #client: Client;
  readonly #workers: Promise<void>[];
  #stopping = false;

  constructor(client: Client) {
    this.#client = client;
    this.#workers = Array.from({ length: WORKERS }, (_, worker) => this.#work(worker));
  }

  /** Waits until this many further operations are done. */
  async more(operations: number): Promise<void> {
    const goal = this.operations + operations;
    await eventually(`${operations} more operations under load`, () => this.operations >= goal || undefined);
  }

  async stop(): Promise<void> {
    this.#stopping = true;
    await Promise.all(this.#workers);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }

  async #work(worker: number): Promise<void> {
    for (let round = 0; !this.#stopping; round++) {
      const key = `load-${worker}-${round % KEYS_PER_WORKER}`;
      const value = String(round);
      await this.#attempt(`put ${key} ${value}`, async () => {
        await this.#client.put(key, value);
      });
      await this.#attempt(`get ${key}`, async () => {
        const found = await this.#client.get(key);
        const text = found && decoder.decode(found.value);
        if (text !== value) throw new Error(`found ${text}, not ${value}`);
      });
    }
  }

  async #attempt(what: string, operation: () => Promise<void>): Promise<void> {
    try {
      await operation();
    } catch (error) {
      this.failures.push(`operation ${this.operations}: ${what}: ${error}`);
    }
    this.operations++;
    await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
  }
}
