/** A load of operations at a fixed number in flight, and its figures. */

import { build, type Histogram } from "hdr-histogram-js";

export interface Figures {
  readonly operations: number;
  readonly perSecond: number;
  /** Latency of single operations, in milliseconds. */
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly maxMs: number;
}

/** Keeps `inFlight` calls of `operate` going for `seconds`, after a warm-up of half as long, and `warm` between the two. */
export async function measure(
  inFlight: number,
  seconds: number,
  operate: (index: number) => Promise<unknown>,
  warm: () => void = () => {},
): Promise<Figures> {
  const histogram = build({
    lowestDiscernibleValue: 1,
    highestTrackableValue: 60_000_000,
    numberOfSignificantValueDigits: 3,
  });
  let index = 0;
  await run(inFlight, seconds / 2, () => operate(index++), undefined);
  warm();
  const startMs = performance.now();
  const operations = await run(inFlight, seconds, () => operate(index++), histogram);
  const elapsedS = (performance.now() - startMs) / 1000;
  const ms = (percentile: number) => histogram.getValueAtPercentile(percentile) / 1000;
  const perSecond = operations / elapsedS;
  return { operations, perSecond, p50Ms: ms(50), p99Ms: ms(99), maxMs: histogram.maxValue / 1000 };
}

async function run(
  inFlight: number,
  seconds: number,
  operate: () => Promise<unknown>,
  histogram: Histogram | undefined,
): Promise<number> {
  const untilMs = performance.now() + seconds * 1000;
  let operations = 0;
  const worker = async () => {
    for (let nowMs = performance.now(); nowMs < untilMs;) {
      await operate();
      const doneMs = performance.now();
      histogram?.recordValue(Math.round((doneMs - nowMs) * 1000));
      nowMs = doneMs;
      operations++;
    }
  };
  await Promise.all(Array.from({ length: inFlight }, worker));
  return operations;
}

/** One line of a table: name, operations per second, latencies. */
export function figuresLine(name: string, { perSecond, p50Ms, p99Ms, maxMs }: Figures): string {
  const rate = Math.round(perSecond).toLocaleString("en-US").padStart(10);
  return `${name.padEnd(34)}${rate}/s   p50 ${p50Ms.toFixed(2)} ms   p99 ${p99Ms.toFixed(2)} ms   max ${
    maxMs.toFixed(1)
  } ms`;
}
