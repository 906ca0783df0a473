/**
 * `deno task bench:many [--nodes 20] [--keys 20000]`: data nodes as real processes on ZooKeeper. All join one that has
 * all keys, a few at a time; then all but the first leave, at once. Prints the times; exit code 1 when a key is lost.
 */

import { parseArgs } from "@std/cli";
import type { Client } from "../../core/client/api.ts";
import { ringToJson } from "../../core/ring/document.ts";
import { openClient } from "../e2e/harness/client.ts";
import { Cluster } from "../e2e/harness/cluster.ts";
import { Ensemble } from "../e2e/harness/ensemble.ts";
import { eventually } from "../e2e/harness/eventually.ts";
import { TempFolder } from "../e2e/harness/folder.ts";
import { slotToMove } from "../e2e/harness/health.ts";

const AT_ONCE = 1000;
/** More processes than that would keep two cores busy with starting alone. */
const STARTED_AT_ONCE = 4;

const flags = parseArgs(Deno.args, { string: ["nodes", "keys"] });
const nodes = Number(flags.nodes ?? 20);
const keys = Array.from({ length: Number(flags.keys ?? 20_000) }, (_, i) => `key-${i}`);

async function inBatches<T>(act: (batch: string[]) => Promise<T>): Promise<T[]> {
  const results: T[] = [];
  for (let first = 0; first < keys.length; first += AT_ONCE) {
    results.push(await act(keys.slice(first, first + AT_ONCE)));
  }
  return results;
}

async function assertAllThere(client: Client): Promise<void> {
  const found = (await inBatches((batch) => client.getMany(batch))).flat();
  const lost = keys.filter((_, i) => found[i] === undefined);
  if (lost.length > 0) throw new Error(`${lost.length} keys are lost, the first of them ${lost[0]}`);
}

/** Until the ring lists so many data nodes, each with its share. */
async function settled(client: Client, count: number): Promise<void> {
  await eventually(`${count} data nodes with their shares`, async () => {
    const ring = await client.ring();
    return ring.nodes.length === count && slotToMove(ring) === undefined;
  });
}

async function timed(what: string, client: Client, act: () => Promise<unknown>): Promise<void> {
  const startMs = performance.now();
  await act();
  const seconds = ((performance.now() - startMs) / 1000).toFixed(1);
  const ring = await client.ring();
  console.log(`${what}: ${seconds} s; ring ${ring.version}, its document ${ringToJson(ring).length} bytes`);
  await assertAllThere(client);
}

await using folder = await TempFolder.make();
await using ensemble = await Ensemble.start(folder.path);
await using cluster = await Cluster.start({
  zk: ensemble.addresses,
  folder: folder.path,
  data: 1,
  standbys: 1,
});
using client = openClient(cluster.masterAddresses);
await inBatches((batch) => client.putMany(batch.map((key) => [key, key])));
await timed(`${nodes - 1} data nodes join one with ${keys.length} keys`, client, async () => {
  for (let left = nodes - 1; left > 0; left -= STARTED_AT_ONCE) {
    await Promise.all(Array.from({ length: Math.min(left, STARTED_AT_ONCE) }, () => cluster.addData()));
  }
  await settled(client, nodes);
});
await timed(`${nodes - 1} data nodes leave`, client, async () => {
  const leaving = cluster.dataNodes.slice(1);
  for (const { process } of leaving) process.signal("SIGTERM");
  await Promise.all(leaving.map(({ process }) => process.ended()));
  await settled(client, 1);
});
console.log(`nothing is lost: all ${keys.length} keys were read each time`);
