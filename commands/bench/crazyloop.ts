/** The bench that goes on and on, for watching what a failure does to a client. */

import type { Clock } from "../../core/platform/ports.ts";
import { type Bench, printedDelete, printedGet, printedPut } from "./operations.ts";

export interface Bounds {
  /** Operations; undefined: no bound. */
  readonly count?: number | undefined;
  readonly seconds?: number | undefined;
  /** From the end of an operation to the start of the next. */
  readonly intervalMs: number;
}

export interface Tally {
  operations: number;
  errors: number;
  lastError: unknown;
  /** The longest that the loop had to wait for an operation to succeed, counted from its first try. */
  longestPauseMs: number;
}

const KEYS = ["os", "ds", "ca", "st"];
const TALLY_PERIOD_MS = 1000;

/**
 * Puts, gets and deletes in turn, printing each outcome, and about once a second the tally, until a bound is reached or
 * `stop` resolves.
 */
export async function crazyloop(
  bench: Bench,
  clock: Clock,
  bounds: Bounds,
  stop: Promise<void>,
): Promise<Tally> {
  const { count = Infinity, seconds = Infinity, intervalMs } = bounds;
  const tally: Tally = { operations: 0, errors: 0, lastError: undefined, longestPauseMs: 0 };
  const endMs = clock.monotonicMs() + seconds * 1000;
  let stopped = false;
  const stopping = stop.then(() => {
    stopped = true;
  });
  let waitingSinceMs: number | undefined;
  let talliedMs = clock.monotonicMs();
  while (!stopped && tally.operations < count && clock.monotonicMs() < endMs) {
    waitingSinceMs ??= clock.monotonicMs();
    const error = await step(bench, tally.operations);
    const nowMs = clock.monotonicMs();
    tally.operations += 1;
    if (error !== undefined) {
      tally.errors += 1;
      tally.lastError = error;
    }
    tally.longestPauseMs = Math.max(tally.longestPauseMs, nowMs - waitingSinceMs);
    if (error === undefined) waitingSinceMs = undefined;
    if (nowMs - talliedMs >= TALLY_PERIOD_MS) {
      bench.print(tallyText(tally));
      talliedMs = nowMs;
    }
    await Promise.race([stopping, clock.sleep(intervalMs)]);
  }
  return tally;
}

/** `operations: 120 errors: 0 longest pause: 12 ms`, with its line end. */
export function tallyText({ operations, errors, longestPauseMs }: Omit<Tally, "lastError">): string {
  return `operations: ${operations} errors: ${errors} longest pause: ${Math.ceil(longestPauseMs)} ms\n`;
}

/** A round is: put every key, get every key, delete one of them. */
function step(bench: Bench, number: number): Promise<unknown> {
  const roundLength = 2 * KEYS.length + 1;
  const round = Math.floor(number / roundLength);
  const at = number % roundLength;
  const key = KEYS[at % KEYS.length]!;
  if (at < KEYS.length) return printedPut(bench, key, String(round));
  if (at < 2 * KEYS.length) return printedGet(bench, key);
  return printedDelete(bench, KEYS[round % KEYS.length]!);
}
