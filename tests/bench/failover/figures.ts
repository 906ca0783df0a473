/** What a run's samples say, and many runs together. */

import type { Sample } from "./probes.ts";

/** A figure of one run, by name: milliseconds, or a number of operations. */
export type Figures = Readonly<Record<string, number>>;

/**
 * How long nothing succeeded on the slots: on all of them together (from the last operation that succeeded to the first
 * that did again), and on the slot where it took longest. What came before `fromMs` counts as where a gap can begin.
 */
export function outage(samples: readonly Sample[], slots: ReadonlySet<number>, fromMs: number): Figures {
  const good = samples.filter(({ slot, error }) => slots.has(slot) && error === undefined);
  const bySlot = Map.groupBy(good, ({ slot }) => slot);
  return {
    "first operation again": longestGap(good, fromMs),
    "every slot again": Math.max(...[...bySlot.values()].map((each) => longestGap(each, fromMs))),
  };
}

function longestGap(good: readonly Sample[], fromMs: number): number {
  const ends = good.map(({ endMs }) => endMs);
  return Math.max(0, ...ends.slice(1).map((end, i) => end > fromMs ? end - ends[i]! : 0));
}

/** The longest operation that ended in the window; 0 when there was none. */
export function longest(samples: readonly Sample[], fromMs: number, toMs = Infinity): number {
  const inside = samples.filter(({ endMs }) => endMs > fromMs && endMs <= toMs);
  return Math.max(0, ...inside.map(({ startMs, endMs }) => endMs - startMs));
}

/** The value that this share of the runs does not exceed. */
export function percentile(values: readonly number[], percent: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.max(0, Math.ceil(percent / 100 * sorted.length) - 1)]!;
}

/** One line of the table of results. */
export function figuresLine(name: string, values: readonly number[], goal: string | undefined): string {
  const columns = [50, 90, 99, 100].map((percent) => Math.round(percentile(values, percent)));
  const numbers = columns.map((value) => value.toLocaleString("en-US").padStart(8)).join("");
  return `  ${name.padEnd(34)}${numbers}${goal === undefined ? "" : `   ${goal}`}`;
}
