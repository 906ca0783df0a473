import type { KvProcess } from "../harness/process.ts";
import { SeededRandom } from "../../sim/world/random.ts";
import type { Fault, Scene } from "./draw.ts";
import { drawFault } from "./fault.ts";
import { targets } from "./target.ts";
import { type Group, pause, type World } from "../harness/world.ts";

export interface Schedule {
  readonly seed: string;
  readonly everyMs: number;
  readonly seconds: number;
}

/** Faults at a steady pace while the check of histories runs. A group is hit again only when it has recovered. */
export class Chaos {
  readonly counts = new Map<string, number>();
  /** Times at which nobody could be hit. */
  missed = 0;

  readonly #busy = new Set<Group>();
  readonly #running = new Set<Promise<void>>();
  readonly #startMs = performance.now();
  readonly #random: SeededRandom;
  #failure: unknown;

  constructor(
    private readonly world: World,
    private readonly schedule: Schedule,
    private readonly print: (line: string) => void,
  ) {
    this.#random = new SeededRandom(schedule.seed);
  }

  /** Until the time is over or the check has ended. Rejects when a group does not recover. */
  async run(check: KvProcess): Promise<void> {
    const { everyMs, seconds } = this.schedule;
    for (let turn = 1; turn * everyMs < seconds * 1000; turn++) {
      await pause(this.#startMs + turn * everyMs - performance.now());
      if (check.hasEnded || this.#failure !== undefined) break;
      // A fork: what one fault draws does not depend on what those before it drew.
      const random = this.#random.fork(`fault ${turn}`);
      const fault = drawFault(random, await this.#scene());
      if (fault === undefined) this.missed++;
      else this.#inject(fault);
    }
    await Promise.all(this.#running);
    if (this.#failure !== undefined) throw this.#failure;
  }

  async #scene(): Promise<Scene> {
    const { shape: { data }, cluster: { retired } } = this.world;
    return { targets: await targets(this.world), busy: this.#busy, data, retired: retired.at(-1)?.name };
  }

  #inject(fault: Fault): void {
    fault.groups.forEach((group) => this.#busy.add(group));
    this.counts.set(fault.kind, (this.counts.get(fault.kind) ?? 0) + 1);
    const done: Promise<void> = this.#perform(fault)
      .catch((error) => void (this.#failure ??= new Error(fault.description, { cause: error })))
      .finally(() => this.#running.delete(done));
    this.#running.add(done);
  }

  async #perform(fault: Fault): Promise<void> {
    const startMs = performance.now();
    this.#say(fault.description);
    await fault.run(this.world);
    for (const group of fault.groups) {
      await this.world.recovered(group);
      this.#busy.delete(group);
    }
    this.#say(`  recovered from ${fault.kind} after ${((performance.now() - startMs) / 1000).toFixed(1)} s`);
  }

  #say(what: string): void {
    this.print(`${((performance.now() - this.#startMs) / 1000).toFixed(1).padStart(7)} s  ${what}`);
  }
}
