import { messageOf } from "../platform/errors.ts";
import type { Cancel, Clock, Log } from "../platform/ports.ts";

/**
 * A level-triggered loop: {@link Loop.wake} asks for one more pass, any number of times at little cost; passes never
 * overlap; one comes by itself every `periodMs`, because a hint may be lost. A pass that rejects is logged and tried
 * again after `retryMs`.
 */
export class Loop {
  #running = false;
  #wanted = false;
  #stopped = false;
  #cancelTimer: Cancel = () => {};
  #idle: (() => void)[] = [];

  constructor(
    private readonly name: string,
    private readonly clock: Clock,
    private readonly log: Log,
    private readonly timing: { readonly periodMs: number; readonly retryMs: number },
    private readonly pass: () => Promise<void>,
  ) {}

  /** Runs a pass soon; after the present one when one runs. */
  readonly wake = (): void => {
    this.#wanted = true;
    if (!this.#running && !this.#stopped) this.#run();
  };

  /** No pass begins any more; resolves when the present one has ended. */
  stop(): Promise<void> {
    this.#stopped = true;
    this.#cancelTimer();
    return this.#running ? new Promise((resolve) => this.#idle.push(resolve)) : Promise.resolve();
  }

  async #run(): Promise<void> {
    this.#running = true;
    this.#cancelTimer();
    let delayMs = this.timing.periodMs;
    while (this.#wanted && !this.#stopped) {
      this.#wanted = false;
      try {
        await this.pass();
        delayMs = this.timing.periodMs;
      } catch (error) {
        this.log("debug", `${this.name}: trying again`, { error: messageOf(error) });
        delayMs = this.timing.retryMs;
        break;
      }
    }
    this.#running = false;
    for (const resolve of this.#idle.splice(0)) resolve();
    if (!this.#stopped) this.#cancelTimer = this.clock.after(delayMs, this.wake);
  }
}
