import { messageOf } from "../../../core/platform/errors.ts";
import { eventually } from "./eventually.ts";
import type { NumberedKeys } from "./numbered_keys.ts";

const TURN_MS = 1;
/** Coprime to any round number of keys: neighbours in time are far apart. */
const STRIDE = 104_729;

/** Writes at a steady rate, however long answers take: new keys and old ones in turn. */
export class SteadyWrites implements AsyncDisposable {
  readonly errors: string[] = [];
  answered = 0;

  readonly #old: number;
  readonly #startMs = performance.now();
  readonly #underWay = new Set<Promise<void>>();
  #stopping = false;
  readonly #running: Promise<void>;

  /** `onAnswer` is told how long each write took, from the moment at which it was due. */
  constructor(
    private readonly keys: NumberedKeys,
    private readonly perSecond: number,
    private readonly onAnswer: (tookMs: number) => void = () => {},
  ) {
    this.#old = keys.size;
    this.#running = this.#run();
  }

  /** Waits until this many further writes have been answered. */
  async more(writes: number): Promise<void> {
    const goal = this.answered + writes;
    await eventually(`${writes} more writes`, () => this.answered >= goal || undefined);
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
    for (let write = 0; !this.#stopping;) {
      await new Promise((resolve) => setTimeout(resolve, TURN_MS));
      const nowMs = performance.now();
      for (let dueMs = this.#dueMs(write); dueMs <= nowMs; dueMs = this.#dueMs(++write)) {
        const done: Promise<void> = this.#write(write, dueMs).finally(() => this.#underWay.delete(done));
        this.#underWay.add(done);
      }
    }
  }

  #dueMs(write: number): number {
    return this.#startMs + 1000 * write / this.perSecond;
  }

  async #write(write: number, dueMs: number): Promise<void> {
    const turn = Math.floor(write / 2);
    try {
      await this.keys.put(write % 2 === 0 ? this.#old + turn : (turn * STRIDE) % this.#old);
      this.answered++;
      this.onAnswer(performance.now() - dueMs);
    } catch (error) {
      this.errors.push(`write ${write}: ${messageOf(error)}`);
    }
  }
}
