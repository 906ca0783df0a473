import { messageOf } from "../../../core/platform/errors.ts";
import { eventually } from "./eventually.ts";
import type { NumberedKeys } from "./numbered_keys.ts";

const TURN_MS = 1;
/** Coprime to any round number of keys: neighbours in time are far apart. */
const STRIDE = 104_729;

/** Operations at a steady rate, however long answers take. */
export class SteadyLoad implements AsyncDisposable {
  readonly errors: string[] = [];
  answered = 0;
  /** From the moment at which an operation was due until it was answered. */
  longestMs = 0;

  readonly #startMs = performance.now();
  readonly #underWay = new Set<Promise<void>>();
  #stopping = false;
  readonly #running: Promise<void>;

  constructor(
    private readonly perSecond: number,
    private readonly operate: (index: number) => Promise<void>,
    private readonly onAnswer: (tookMs: number) => void = () => {},
  ) {
    this.#running = this.#run();
  }

  /** Waits until this many further operations have been answered. */
  async more(operations: number): Promise<void> {
    const goal = this.answered + operations;
    await eventually(`${operations} more operations`, () => this.answered >= goal || undefined);
  }

  async stop(): Promise<void> {
    this.#stopping = true;
    await this.#running;
    await Promise.all(this.#underWay);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }

  async #run(): Promise<void> {
    for (let index = 0; !this.#stopping;) {
      await new Promise((resolve) => setTimeout(resolve, TURN_MS));
      const nowMs = performance.now();
      for (let dueMs = this.#dueMs(index); dueMs <= nowMs; dueMs = this.#dueMs(++index)) {
        const done: Promise<void> = this.#attempt(index, dueMs).finally(() => this.#underWay.delete(done));
        this.#underWay.add(done);
      }
    }
  }

  #dueMs(index: number): number {
    return this.#startMs + 1000 * index / this.perSecond;
  }

  async #attempt(index: number, dueMs: number): Promise<void> {
    try {
      await this.operate(index);
      const tookMs = performance.now() - dueMs;
      this.answered++;
      this.longestMs = Math.max(this.longestMs, tookMs);
      this.onAnswer(tookMs);
    } catch (error) {
      this.errors.push(`operation ${index}: ${messageOf(error)}`);
    }
  }
}

/** Writes a new key and an old one in turn. */
export function writesTo(keys: NumberedKeys): (index: number) => Promise<void> {
  const old = keys.size;
  return (index) => {
    const turn = Math.floor(index / 2);
    return keys.put(index % 2 === 0 ? old + turn : (turn * STRIDE) % old);
  };
}

/** Reads keys that have been written, all around the ring; one without its value is an error. */
export function readsOf(keys: NumberedKeys): (index: number) => Promise<void> {
  return (index) => keys.get((index * STRIDE) % keys.size);
}
