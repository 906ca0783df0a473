import { assertEquals } from "@std/assert";
import { longest, outage, percentile } from "../bench/failover/figures.ts";
import type { Sample } from "../bench/failover/probes.ts";

function sample(slot: number, endMs: number, error?: string): Sample {
  return { slot, write: true, startMs: endMs - 1, endMs, error };
}

Deno.test("an outage is the longest time without a success, on all slots together and on the worst", () => {
  const samples = [
    sample(1, 10),
    sample(2, 12),
    // Another node's slot does not count, nor does an error.
    sample(7, 300),
    sample(1, 400, "outcome unknown"),
    sample(2, 512),
    sample(1, 600),
    sample(2, 610),
  ];
  assertEquals(outage(samples, new Set([1, 2]), 11), {
    "first operation again": 500,
    "every slot again": 590,
  });
});

Deno.test("a gap that was over before the failure is none of it", () => {
  const samples = [sample(1, 0), sample(1, 1000), sample(1, 1010), sample(1, 1040)];
  assertEquals(outage(samples, new Set([1]), 1020)["first operation again"], 30);
});

Deno.test("percentiles are values that were measured; the longest operation is looked for in the window", () => {
  assertEquals([50, 90, 99, 100].map((percent) => percentile([3, 1, 2, 4], percent)), [2, 4, 4, 4]);
  assertEquals(percentile([5], 50), 5);
  const samples = [{ ...sample(1, 10), startMs: 0 }, { ...sample(1, 20), startMs: 15 }];
  assertEquals([longest(samples, 0), longest(samples, 10), longest(samples, 20)], [10, 5, 0]);
});
