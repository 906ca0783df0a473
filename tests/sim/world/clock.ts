import type { Cancel, Clock } from "../../../core/platform/ports.ts";
import type { SeededRandom } from "./random.ts";
import type { SimProcess } from "./scheduler.ts";

export interface ClockSettings {
  /** Local milliseconds per true millisecond, about 1. */
  readonly rate: number;
  /** What the monotonic clock shows when the process starts. */
  readonly offsetMs: number;
  /** What the wall clock is ahead of true time, which starts in 2026. */
  readonly wallAheadMs: number;
  /** Timers fire up to this late. */
  readonly timerLateMsMax: number;
}

/** 2026-01-01T00:00:00Z */
const WALL_START_MS = 1_767_225_600_000;
/** Above the rounding error of the conversions, so that a timer never finds its time not yet come. */
const ROUNDING_MS = 1e-6;

/** The clock of one process: it runs at its own rate, and its timers wait with the process. */
export class SimClock implements Clock {
  readonly #startMs: number;
  /** True time that the monotonic clock has not seen. */
  #sleptMs = 0;
  #suspendedAtMs: number | undefined;
  #wallJumpedMs = 0;

  constructor(
    readonly process: SimProcess,
    readonly random: SeededRandom,
    readonly settings: ClockSettings = { rate: 1, offsetMs: 0, wallAheadMs: 0, timerLateMsMax: 0 },
  ) {
    this.#startMs = process.scheduler.nowMs;
  }

  monotonicMs(): number {
    const trueMs = this.#suspendedAtMs ?? this.#trueMs();
    return this.settings.offsetMs + (trueMs - this.#startMs - this.#sleptMs) * this.settings.rate;
  }

  /** The machine is suspended: the monotonic clock stands still until {@link wake}, the wall clock goes on. */
  suspend(): void {
    this.#suspendedAtMs ??= this.#trueMs();
  }

  wake(): void {
    if (this.#suspendedAtMs !== undefined) this.#sleptMs += this.#trueMs() - this.#suspendedAtMs;
    this.#suspendedAtMs = undefined;
  }

  /** Somebody sets the wall clock. */
  wallJumps(byMs: number): void {
    this.#wallJumpedMs += byMs;
  }

  wallMs(): number {
    return Math.floor(WALL_START_MS + this.#trueMs() + this.settings.wallAheadMs + this.#wallJumpedMs);
  }

  after(delayMs: number, fire: () => void): Cancel {
    const late = this.random.number() * this.settings.timerLateMsMax;
    const trueDelayMs = Math.max(0, delayMs) / this.settings.rate + ROUNDING_MS + late;
    const { scheduler } = this.process;
    const sleptMs = this.#sleptMs;
    let cancel = scheduler.at(
      this.#trueMs() + trueDelayMs,
      () => {
        const moreMs = this.#sleptMs - sleptMs;
        if (moreMs === 0) fire();
        else cancel = this.after(moreMs * this.settings.rate, fire);
      },
      this.process,
      "timer",
    );
    return () => cancel();
  }

  every(periodMs: number, fire: () => void): Cancel {
    let cancelled = false;
    let cancel: Cancel = () => {};
    const next = () => {
      cancel = this.after(periodMs, () => {
        if (cancelled) return;
        next();
        fire();
      });
    };
    next();
    return () => {
      cancelled = true;
      cancel();
    };
  }

  sleep(delayMs: number): Promise<void> {
    return new Promise((resolve) => this.after(delayMs, resolve));
  }

  nextTurn(): Promise<void> {
    return this.sleep(0);
  }

  /** True time as the process lives it: a blocking call takes its time. */
  #trueMs(): number {
    return Math.max(this.process.scheduler.nowMs, this.process.busyUntilMs);
  }
}
