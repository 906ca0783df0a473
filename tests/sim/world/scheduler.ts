import { setImmediate } from "node:timers";
import type { Cancel } from "../../../core/platform/ports.ts";
import type { SeededRandom } from "./random.ts";

/**
 * A process of the simulation, from its start to its end. Everything that can make its code run (timers, deliveries,
 * finished syncs, answers of the coordinator) is an event that names it: a killed process gets none any more, a paused
 * one gets its events when it goes on, in the order in which they came.
 */
export class SimProcess {
  #state: "running" | "paused" | "killed" = "running";
  #held: ScheduledEvent[] = [];
  /** True time until which a blocking call keeps the process from handling anything else. */
  busyUntilMs = 0;

  constructor(readonly scheduler: Scheduler, readonly name: string) {}

  get alive(): boolean {
    return this.#state !== "killed";
  }

  get paused(): boolean {
    return this.#state === "paused";
  }

  pause(): void {
    if (this.#state === "running") this.#state = "paused";
  }

  resume(): void {
    if (this.#state !== "paused") return;
    this.#state = "running";
    const held = this.#held;
    this.#held = [];
    for (const event of held) this.scheduler.requeue(event);
  }

  /** The process is in a blocking call for this long. */
  block(forMs: number): void {
    this.busyUntilMs = Math.max(this.busyUntilMs, this.scheduler.nowMs) + forMs;
  }

  kill(): void {
    this.#state = "killed";
    this.#held = [];
  }

  hold(event: ScheduledEvent): void {
    this.#held.push(event);
  }
}

export interface ScheduledEvent {
  timeMs: number;
  tie: number;
  /** Undefined: an event of the world itself, which nobody can pause or kill. */
  readonly process: SimProcess | undefined;
  readonly label: string;
  /** Undefined once cancelled. */
  fire: (() => void) | undefined;
}

/**
 * Virtual time and the one queue of events. After each event all microtasks run to their end before the next one,
 * so that a run depends on nothing but the seed. Events of the same moment come in an order drawn from the seed.
 */
export class Scheduler {
  #nowMs = 0;
  #fired = 0;
  #hash = 0x811c9dc5;
  #requeued = 0;
  readonly #heap: ScheduledEvent[] = [];
  /** Called after each event and its microtasks, with the process that it belonged to. */
  afterStep: (process: SimProcess | undefined) => void = () => {};
  /** Called with what an event threw: in a real process an uncaught exception. */
  onError: (error: unknown, event: ScheduledEvent) => void = (error) => {
    throw error;
  };
  /** Called before each event, for a readable trace. */
  onEvent: ((event: ScheduledEvent) => void) | undefined;

  constructor(readonly random: SeededRandom) {}

  /** Virtual milliseconds since the start: the true time, which no process knows exactly. */
  get nowMs(): number {
    return this.#nowMs;
  }

  /** Events fired so far. */
  get steps(): number {
    return this.#fired;
  }

  /** Hash of all events so far, their moments included: equal for two runs that went alike. */
  get traceHash(): string {
    return (this.#hash >>> 0).toString(16).padStart(8, "0");
  }

  /** Calls `fire` at `timeMs`, or now if that has passed. */
  at(timeMs: number, fire: () => void, process?: SimProcess, label = ""): Cancel {
    const time = Math.max(timeMs, this.#nowMs);
    const event: ScheduledEvent = { timeMs: time, tie: this.random.number(), process, label, fire };
    if (process?.alive !== false) this.#push(event);
    return () => {
      event.fire = undefined;
    };
  }

  after(delayMs: number, fire: () => void, process?: SimProcess, label = ""): Cancel {
    return this.at(this.#nowMs + delayMs, fire, process, label);
  }

  /** Puts an event back that its process could not take, behind those put back before it for the same moment. */
  requeue(event: ScheduledEvent, timeMs = this.#nowMs): void {
    event.timeMs = timeMs;
    event.tie = ++this.#requeued;
    this.#push(event);
  }

  /** Fires the next event and lets all that follows from it happen. False: there is none. */
  step(): Promise<boolean> {
    return outsideMicrotasks(() => this.#step());
  }

  /** Steps until `done`; false when virtual time passed `limitMs` or nothing was left to happen before it. */
  async runUntil(done: () => boolean, limitMs: number): Promise<boolean> {
    let finished: boolean | undefined;
    while (finished === undefined) finished = await outsideMicrotasks(() => this.#steps(done, limitMs));
    return finished;
  }

  /** Undefined: there is more to do, after the loop of the real process had its turn. */
  #steps(done: () => boolean, limitMs: number): boolean | undefined {
    for (let i = 0; i < STEPS_PER_TURN; i++) {
      if (done()) return true;
      if (this.#nowMs >= limitMs || !this.#step()) return false;
    }
    return undefined;
  }

  #step(): boolean {
    for (;;) {
      const event = this.#pop();
      if (event === undefined) return false;
      if (event.fire === undefined || event.process?.alive === false) continue;
      this.#nowMs = Math.max(this.#nowMs, event.timeMs);
      if (event.process?.paused) {
        event.process.hold(event);
        continue;
      }
      if (event.process !== undefined && event.process.busyUntilMs > this.#nowMs) {
        this.requeue(event, event.process.busyUntilMs);
        continue;
      }
      this.#fire(event, event.fire);
      runMicrotasks();
      this.afterStep(event.process);
      return true;
    }
  }

  /** Mixes a number into the trace's hash. */
  mix(value: number): void {
    this.#hash = Math.imul(this.#hash ^ value, 0x01000193);
    this.#hash ^= this.#hash >>> 15;
  }

  #fire(event: ScheduledEvent, fire: () => void): void {
    this.#fired++;
    this.mix(Math.floor(this.#nowMs));
    this.mix(Math.floor((this.#nowMs % 1) * 2 ** 31));
    this.onEvent?.(event);
    event.fire = undefined;
    try {
      fire();
    } catch (error) {
      this.onError(error, event);
    }
  }

  #push(event: ScheduledEvent): void {
    const heap = this.#heap;
    let i = heap.length;
    heap.push(event);
    while (i > 0) {
      const parent = (i - 1) >> 1;
      if (!before(event, heap[parent]!)) break;
      heap[i] = heap[parent]!;
      i = parent;
    }
    heap[i] = event;
  }

  #pop(): ScheduledEvent | undefined {
    const heap = this.#heap;
    const first = heap[0];
    const last = heap.pop();
    if (first === undefined || last === undefined || heap.length === 0) return first;
    let i = 0;
    for (;;) {
      let child = 2 * i + 1;
      if (child >= heap.length) break;
      if (child + 1 < heap.length && before(heap[child + 1]!, heap[child]!)) child++;
      if (!before(heap[child]!, last)) break;
      heap[i] = heap[child]!;
      i = child;
    }
    heap[i] = last;
    return first;
  }
}

/**
 * Runs all microtasks that there are, and those that they make. A turn of the real event loop for each event would do
 * the same and take longer than most events do. It does nothing from within a microtask.
 */
const { runMicrotasks } = ((Deno as unknown as Record<symbol, unknown>)[
  (Deno as unknown as { readonly internal: symbol }).internal
] as { readonly core: { runMicrotasks(): void } }).core;

/** Between two turns of the real event loop, in which rejections that nobody handled are reported. */
const STEPS_PER_TURN = 1000;

function outsideMicrotasks<T>(action: () => T): Promise<T> {
  return new Promise((resolve, reject) =>
    setImmediate(() => {
      try {
        resolve(action());
      } catch (error) {
        reject(error);
      }
    })
  );
}

function before(a: ScheduledEvent, b: ScheduledEvent): boolean {
  return a.timeMs < b.timeMs || (a.timeMs === b.timeMs && a.tie < b.tie);
}
