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

  constructor(
    readonly process: SimProcess,
    readonly random: SeededRandom,
    readonly settings: ClockSettings = { rate: 1, offsetMs: 0, wallAheadMs: 0, timerLateMsMax: 0 },
  ) {
    this.#startMs = process.scheduler.nowMs;
  }

  monotonicMs(): number {
    return this.settings.offsetMs + (this.#trueMs() - this.#startMs) * this.settings.rate;
  }

  wallMs(): number {
    return Math.floor(WALL_START_MS + this.#trueMs() + this.settings.wallAheadMs);
  }

  after(delayMs: number, fire: () => void): Cancel {
    const late = this.random.number() * this.settings.timerLateMsMax;
    const trueDelayMs = Math.max(0, delayMs) / this.settings.rate + ROUNDING_MS + late;
    return this.process.scheduler.at(this.#trueMs() + trueDelayMs, fire, this.process, "timer");
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

  /** True time as the process lives it: a blocking call takes its time. */
  #trueMs(): number {
    return Math.max(this.process.scheduler.nowMs, this.process.busyUntilMs);
  }
}
