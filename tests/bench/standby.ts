/**
 * What clients notice of a standby that catches up: two data nodes with a million keys, each server a process, and writes
 * at a steady rate, half of them of new keys, while a standby comes. In the end a data node is killed, and every key is
 * read. Latencies count from the moment at which a write was due.
 *
 *     deno task bench:standby [--keys 1000000] [--rate 1000] [--seconds 10]    seconds before it, and when it is in sync
 */

import { parseArgs } from "@std/cli";
import { build, type Histogram } from "hdr-histogram-js";
import { openObserver } from "../e2e/harness/client.ts";
import { Cluster } from "../e2e/harness/cluster.ts";
import { Ensemble } from "../e2e/harness/ensemble.ts";
import { TempFolder } from "../e2e/harness/folder.ts";
import { inSync } from "../e2e/harness/health.ts";
import { NumberedKeys } from "../e2e/harness/numbered_keys.ts";
import { SteadyLoad, writesTo } from "../e2e/harness/steady_load.ts";

const args = parseArgs(Deno.args, { string: ["keys", "rate", "seconds"] });
const keyCount = Number(args.keys ?? 1_000_000);
const rate = Number(args.rate ?? 1000);
const seconds = Number(args.seconds ?? 10);

/** Catching up gives way to the load. */
const PATIENCE_MS = 600_000;

let histogram: Histogram;

/** Notes how long writes take until `until` resolves; returns the 99th percentile. */
async function measure(phase: string, until: () => Promise<unknown>): Promise<number> {
  histogram = build({ highestTrackableValue: 60_000_000, numberOfSignificantValueDigits: 3 });
  const startMs = performance.now();
  await until();
  const elapsedS = (performance.now() - startMs) / 1000;
  const ms = (percentile: number) => histogram.getValueAtPercentile(percentile) / 1000;
  const percentiles = [50, 99, 99.9].map((each) => `p${each} ${ms(each).toFixed(2).padStart(7)} ms`).join(
    "   ",
  );
  const most = (histogram.maxValue / 1000).toFixed(0).padStart(5);
  console.log(`${phase.padEnd(24)}${elapsedS.toFixed(1).padStart(5)} s   ${percentiles}   max ${most} ms`);
  return ms(99);
}

const forAWhile = () => new Promise((resolve) => setTimeout(resolve, seconds * 1000));

await using folder = await TempFolder.make();
await using ensemble = await Ensemble.start(folder.path, 1);
await using cluster = await Cluster.start({ zk: ensemble.addresses, folder: folder.path, data: 2 });
using observer = openObserver(cluster.masterAddresses);
const keys = new NumberedKeys(observer.client);
await keys.fill(keyCount);
console.log(`${keyCount} keys, ${rate} writes/s`);

const note = (tookMs: number) => histogram.recordValue(Math.round(tookMs * 1000));
await using writes = new SteadyLoad(rate, writesTo(keys), note);
await measure("warm-up", forAWhile);
const before = await measure("before", forAWhile);
const during = await measure("standby catches up", async () => {
  await cluster.addStandby();
  await inSync(observer, cluster.nodes, 2, PATIENCE_MS);
});
await measure("standby in sync", forAWhile);
console.log(`p99 while it catches up is ${(during / before).toFixed(1)} times that before; goal: 3 at most`);

await cluster.dataNodes[1]!.process.kill();
await cluster.standbys[0]!.process.ready("data");
await writes.stop();
const wrong = await keys.wrong();
console.log(`a data node killed: of ${keys.size} keys ${wrong.count} lack their value`, ...wrong.examples);
console.log(`${writes.errors.length} writes failed`, ...writes.errors.slice(0, 3));
if (wrong.count > 0) Deno.exitCode = 1;
