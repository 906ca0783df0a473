/**
 * One master, one data node and one standby in sync, each a process, and one client process: keys of 16 bytes and values
 * of 100, every put synced on both copies before its answer. The processor time of each process tells more than the rate:
 * three of them share the machine.
 *
 *     deno task bench:replication [--seconds 4] [--standbys 1]    without standbys: what the copies cost
 */

import { parseArgs } from "@std/cli";
import { Cluster } from "../e2e/harness/cluster.ts";
import { Ensemble } from "../e2e/harness/ensemble.ts";
import { TempFolder } from "../e2e/harness/folder.ts";
import { inSync } from "../e2e/harness/health.ts";
import { Workload } from "./workload.ts";

const args = parseArgs(Deno.args, { string: ["seconds", "standbys"] });
const seconds = Number(args.seconds ?? 4);
const standbys = Number(args.standbys ?? 1);

await using folder = await TempFolder.make();
await using ensemble = await Ensemble.start(folder.path, 1);
const options = { zk: ensemble.addresses, folder: folder.path, masters: 1, data: 1, standbys };
await using cluster = await Cluster.start(options);
const watched = [
  ...cluster.dataNodes.map(({ process: { pid } }) => ({ name: "data node", pid })),
  ...cluster.standbys.map(({ process: { pid } }) => ({ name: "standby", pid })),
  { name: "client", pid: Deno.pid },
];
using workload = new Workload(cluster.masterAddresses, seconds, watched);

await inSync(workload, cluster.nodes, 1 + standbys);
await workload.fill();
const { version } = await workload.client.ring();
await workload.putsAndGets();
// A copy that falls behind is taken out, and then what was measured is not what was asked for.
if ((await workload.client.ring()).version !== version) {
  console.error("the ring changed meanwhile: a standby was not in sync all the time");
  Deno.exitCode = 1;
}
