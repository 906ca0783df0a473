import { setImmediate } from "node:timers";
import type { Cancel, Clock } from "./ports.ts";

/** The clock of the machine. */
export const systemClock: Clock = {
  monotonicMs: () => performance.now(),
  wallMs: () => Date.now(),
  after(delayMs: number, fire: () => void): Cancel {
    const timer = setTimeout(fire, delayMs);
    return () => clearTimeout(timer);
  },
  every(periodMs: number, fire: () => void): Cancel {
    const timer = setInterval(fire, periodMs);
    return () => clearInterval(timer);
  },
  sleep: (delayMs: number) => new Promise((resolve) => setTimeout(resolve, delayMs)),
  // What was sent reaches the socket in this turn and leaves at its end, or at the beginning of the next one.
  nextTurn: () => new Promise((resolve) => setImmediate(setImmediate, resolve)),
};
