/**
 * One data node and one client process, keys of 16 bytes and values of 100, every put synced before its answer.
 *
 *     deno task bench:rpc [--seconds 4]
 */

import { parseArgs } from "@std/cli";
import { connect } from "../../core/client/client.ts";
import { systemClock } from "../../core/platform/clock.ts";
import { stderrLog } from "../../core/platform/log.ts";
import { systemRandom } from "../../core/platform/random.ts";
import { kv } from "../../core/rpc/methods.ts";
import { grpcTransport } from "../../core/rpc/transport.ts";
import { startCluster } from "./cluster.ts";
import { figuresLine, measure } from "./load.ts";

const KEYS = 100_000;
const seconds = Number(parseArgs(Deno.args, { string: ["seconds"] }).seconds ?? 4);
const encoder = new TextEncoder();
const keys = Array.from({ length: KEYS }, (_, i) => encoder.encode(`key-${String(i).padStart(12, "0")}`));
const value = new Uint8Array(100).fill(0x76);
const keyOf = (index: number) => keys[(index * 7919) % KEYS]!;

await using cluster = await startCluster(["up", "--masters", "1", "--data", "1"]);
const log = stderrLog("warn", "bench");
const transport = grpcTransport({ clock: systemClock, log });
const client = connect({
  masters: [cluster.master],
  clock: systemClock,
  random: systemRandom,
  transport,
  log,
});

const show = async (name: string, inFlight: number, operate: (index: number) => Promise<unknown>) => {
  console.log(figuresLine(name, await measure(inFlight, seconds, operate)));
};
for (let i = 0; i < KEYS; i += 1000) await client.putMany(keys.slice(i, i + 1000).map((key) => [key, value]));
await show("durable puts, 256 in flight", 256, (i) => client.put(keyOf(i), value));
await show("gets, 256 in flight", 256, (i) => client.get(keyOf(i)));
await show("durable put, 1 in flight", 1, (i) => client.put(keyOf(i), value));
await show("get, 1 in flight", 1, (i) => client.get(keyOf(i)));
const owner = (await client.ring()).nodes[0]!.address;
await show("unary gets, 64 in flight", 64, (i) => transport.call(owner, kv.get, { key: keyOf(i) }, 5000));
client.close();
transport.close();
