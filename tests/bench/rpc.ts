/**
 * One data node and one client process, keys of 16 bytes and values of 100, every put synced before its answer. Unary
 * gets are measured in turn with calls of grpc-js alone: the machine's speed changes from minute to minute.
 *
 *     deno task bench:rpc [--seconds 4]
 */

import { parseArgs } from "@std/cli";
import { kv } from "../../core/rpc/methods.ts";
import { startCluster } from "./cluster.ts";
import { startEcho } from "./grpc_echo.ts";
import { Workload } from "./workload.ts";

const ROUNDS = 3;
/** An encoded reply to a get of such a value. */
const REPLY_BYTES = 106;

const seconds = Number(parseArgs(Deno.args, { string: ["seconds"] }).seconds ?? 4);
await using cluster = await startCluster(["up", "--masters", "1", "--data", "1", "--standbys", "0"]);
using workload = new Workload([cluster.master], seconds);
await workload.fill();
await workload.putsAndGets();
const owner = (await workload.client.ring()).nodes[0]!.address;
const unary = (key: Uint8Array) => workload.transport.call(owner, kv.get, { key }, 5000);
await using echo = await startEcho(REPLY_BYTES);
const ratios: number[] = [];
for (let round = 0; round < ROUNDS; round++) {
  const ours = await workload.show("unary gets, 64 in flight", 64, unary);
  const bare = await workload.show("grpc-js alone, 64 in flight", 64, echo.call);
  ratios.push(ours.perSecond / bare.perSecond);
}
ratios.sort((a, b) => a - b);
console.log(`unary gets to calls of grpc-js alone, median of ${ROUNDS}: ${ratios[ROUNDS >> 1]!.toFixed(2)}`);
