/**
 * One data node and one client process, keys of 16 bytes and values of 100, every put synced before its answer.
 *
 *     deno task bench:rpc [--seconds 4]
 */

import { parseArgs } from "@std/cli";
import { kv } from "../../core/rpc/methods.ts";
import { startCluster } from "./cluster.ts";
import { Workload } from "./workload.ts";

const seconds = Number(parseArgs(Deno.args, { string: ["seconds"] }).seconds ?? 4);
await using cluster = await startCluster(["up", "--masters", "1", "--data", "1", "--standbys", "0"]);
using workload = new Workload([cluster.master], seconds);
await workload.fill();
await workload.putsAndGets();
const owner = (await workload.client.ring()).nodes[0]!.address;
const unary = (key: Uint8Array) => workload.transport.call(owner, kv.get, { key }, 5000);
await workload.show("unary gets, 64 in flight", 64, unary);
