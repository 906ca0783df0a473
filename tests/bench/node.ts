/**
 * A whole data node (with a master, in one process) and a million keys of 16 bytes with values of 100: its memory, and
 * how long it takes to be ready again, stopped in good order and killed.
 *
 *     deno task bench:node [--keys 1000000]
 */

import { parseArgs } from "@std/cli";
import type { Client } from "../../core/client/api.ts";
import { connect } from "../../core/client/client.ts";
import { systemClock } from "../../core/platform/clock.ts";
import { stderrLog } from "../../core/platform/log.ts";
import { systemRandom } from "../../core/platform/random.ts";
import { grpcTransport } from "../../core/rpc/transport.ts";
import { type BenchCluster, startCluster } from "./cluster.ts";

const ARGS = ["up", "--masters", "1", "--data", "1", "--standbys", "0"];
const IN_FLIGHT = 256;
const TIMEOUT_MS = 60_000;

const keyCount = Number(parseArgs(Deno.args, { string: ["keys"] }).keys ?? 1_000_000);
const encoder = new TextEncoder();
const value = new Uint8Array(100).fill(0x76);
const keyOf = (index: number) => encoder.encode(`key-${String(index).padStart(12, "0")}`);
const anyKey = (index: number) => keyOf((index * 104_729) % keyCount);

const fill = (client: Client, i: number) => client.put(keyOf(i), value, { timeoutMs: TIMEOUT_MS });
const put = (client: Client, i: number) => client.put(anyKey(i), value, { timeoutMs: TIMEOUT_MS });
const get = (client: Client, i: number) => client.get(anyKey(i), { timeoutMs: TIMEOUT_MS });

/** Does `count` operations by a new client. */
async function load(
  { master }: BenchCluster,
  count: number,
  operate: (client: Client, index: number) => Promise<unknown>,
): Promise<void> {
  const log = stderrLog("warn", "bench");
  const transport = grpcTransport({ clock: systemClock, log });
  const client = connect({ masters: [master], clock: systemClock, random: systemRandom, transport, log });
  let index = 0;
  const worker = async () => {
    while (index < count) await operate(client, index++);
  };
  await Promise.all(Array.from({ length: IN_FLIGHT }, worker));
  client.close();
  transport.close();
}

function show(when: string, cluster: BenchCluster): void {
  const { nowMiB, mostMiB } = cluster.memory();
  const memory = `${nowMiB.toFixed(0).padStart(5)} MiB, at most ${mostMiB.toFixed(0).padStart(5)} MiB`;
  console.log(`${when.padEnd(24)}${memory}   ready after ${(cluster.startMs / 1000).toFixed(2)} s`);
}

await using first = await startCluster(ARGS);
show("empty", first);
await load(first, keyCount, fill);
show(`${keyCount} keys put`, first);
await load(first, keyCount / 2, get);
show(`${keyCount / 2} gets`, first);
await first.end();
const second = await startCluster(ARGS, first.folder);
show("stopped and started", second);
await load(second, keyCount / 2, put);
show(`${keyCount / 2} puts`, second);
await load(second, keyCount / 2, get);
show(`${keyCount / 2} gets`, second);
await second.end("SIGKILL");
const third = await startCluster(ARGS, first.folder);
show("killed and started", third);
await third.end();
