/** A load at a given rate, whatever the cluster makes of it. */

import type { Clock, Random } from "../../../core/platform/ports.ts";
import { drawRequest, type Mix } from "./mix.ts";
import type { NamedClient, Recorder } from "./recorder.ts";

export interface LoadOptions {
  readonly clients: readonly NamedClient[];
  readonly keys: readonly string[];
  /** Operations a second, by all clients together. */
  readonly rate: number;
  readonly durationMs: number;
  readonly timeoutMs: number;
  readonly mix: Mix;
}

const TICK_MS = 5;
/** So long the load may fall behind its rate, in a process that was stopped, before it gives the lost time up. */
const BEHIND_MS_MAX = 200;
/** Operations on one key at once, so that a key that does not answer does not draw all that is asked. */
const PENDING_MAX = 16;
const DRAWS_MAX = 20;

/**
 * Begins operations at fixed times and does not wait for answers, so that keys that are available are asked as often
 * while others are not.
 */
export class Load {
  readonly #pending = new Map<string, number>();
  /** The last version that anybody was told of a key, 0 for no value: what conditional writes compare with. */
  readonly #versions = new Map<string, number>();
  readonly #running = new Set<Promise<void>>();
  /** Keys that gave no answer: asked again soon, so that the end of an unavailability is noticed. */
  readonly #unanswered = new Set<string>();
  #values = 0;
  #failure: { readonly error: unknown } | undefined;

  constructor(
    private readonly options: LoadOptions,
    private readonly recorder: Recorder,
    private readonly clock: Clock,
    private readonly random: Random,
  ) {}

  /** Until the time is over or `stop` resolves, and all operations have ended. Rejects when the history cannot be kept. */
  async run(stop: Promise<void>): Promise<void> {
    const { clock, options: { durationMs, rate } } = this;
    let stopped = false;
    const stopping = stop.then(() => {
      stopped = true;
    });
    const startMs = clock.monotonicMs();
    let begunMs = startMs;
    while (!stopped && this.#failure === undefined && begunMs < startMs + durationMs) {
      const untilMs = Math.min(clock.monotonicMs(), startMs + durationMs);
      begunMs = Math.max(begunMs, untilMs - BEHIND_MS_MAX);
      for (; begunMs < untilMs; begunMs += 1000 / rate) this.#begin();
      await Promise.race([stopping, clock.sleep(TICK_MS)]);
    }
    await Promise.all(this.#running);
    if (this.#failure !== undefined) throw this.#failure.error;
  }

  #begin(): void {
    const key = this.#drawKey();
    if (key === undefined) return;
    const { clients, mix, timeoutMs } = this.options;
    const client = clients[this.random.below(clients.length)]!;
    const request = drawRequest(mix, this.random, () => String(++this.#values), this.#versions.get(key) ?? 0);
    this.#pending.set(key, (this.#pending.get(key) ?? 0) + 1);
    const running = this.recorder.operate(client, key, request, timeoutMs).then((answer) => {
      if ("version" in answer) this.#versions.set(key, answer.version);
      if (answer.kind === "absent" || (answer.kind === "written" && request.kind === "delete")) {
        this.#versions.set(key, 0);
      }
      if (answer.kind === "failed" || answer.kind === "unknown") this.#unanswered.add(key);
      else this.#unanswered.delete(key);
    }).catch((error) => {
      this.#failure ??= { error };
    }).finally(() => {
      this.#pending.set(key, this.#pending.get(key)! - 1);
      this.#running.delete(running);
    });
    this.#running.add(running);
  }

  /** Undefined: all that were drawn have too many operations pending. */
  #drawKey(): string | undefined {
    const { keys } = this.options;
    // Half of the load at most, so that the other keys are not forgotten.
    const [unanswered] = this.#unanswered;
    if (unanswered !== undefined && this.random.number() < 0.5) {
      this.#unanswered.delete(unanswered);
      return unanswered;
    }
    for (let i = 0; i < DRAWS_MAX; i++) {
      const key = keys[this.random.below(keys.length)]!;
      if ((this.#pending.get(key) ?? 0) < PENDING_MAX) return key;
    }
    return undefined;
  }
}
