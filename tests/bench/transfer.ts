/**
 * How fast a node gets the copies of all slots: one data node is filled, then a standby starts, and its copies come as
 * snapshots at a rate that is not limited. Told are the bytes of keys and values, the time from the first snapshot until
 * the standby is in sync with all slots, and the processor time of both.
 *
 *     deno task bench:transfer [--keys 1000000] [--value-bytes 100] [--rounds 1]
 */

import { parseArgs } from "@std/cli";
import type { StatusReply } from "../../proto/gen/kv/v1/kv.ts";
import { Cluster } from "../e2e/harness/cluster.ts";
import { Ensemble } from "../e2e/harness/ensemble.ts";
import { TempFolder } from "../e2e/harness/folder.ts";
import { statusOf } from "../e2e/harness/health.ts";
import type { Server } from "../e2e/harness/server.ts";
import { usedUs } from "./processor_time.ts";
import { Workload } from "./workload.ts";

const MIB = 2 ** 20;
const LOOK_EVERY_MS = 100;

const args = parseArgs(Deno.args, { string: ["keys", "value-bytes", "rounds"] });
const keys = Number(args.keys ?? 1_000_000);
const valueBytes = Number(args["value-bytes"] ?? 100);
const rounds = Number(args.rounds ?? 1);

await using folder = await TempFolder.make();
await using ensemble = await Ensemble.start(folder.path, 1);
const nodeFlags = ["--transfer-bytes-per-second", String(2 ** 40)];
const options = { zk: ensemble.addresses, folder: folder.path, masters: 1, data: 1, nodeFlags };
await using cluster = await Cluster.start(options);
using workload = new Workload(cluster.masterAddresses, 1);
const owner = cluster.dataNodes[0]!;
await workload.fill(keys, valueBytes);
for (let round = 0; round < rounds; round++) await transfer(await cluster.addStandby());

/** Waits until the standby has all, prints what that took, and ends it. */
async function transfer(standby: Server): Promise<void> {
  const processes = [
    { name: "data node", pid: owner.process.pid },
    { name: "standby", pid: standby.process.pid },
  ];
  const before = usedUs(processes);
  const itself = ({ followers }: StatusReply) => followers.find(({ address }) => address === standby.address);
  await look((status) => {
    const { transfer, inSync = 0 } = itself(status) ?? {};
    return transfer !== undefined || inSync > 0;
  });
  const startMs = performance.now();
  const { slots } = await look((status) => {
    const { inSync, slots } = itself(status) ?? {};
    return inSync !== undefined && inSync === slots;
  });
  const seconds = (performance.now() - startMs) / 1000;
  const mib = slots.reduce((sum, slot) => sum + slot.bytes, 0) / MIB;
  const used = usedUs(processes).map((us, i) =>
    `${processes[i]!.name} ${((us - before[i]!) / 1000 / mib).toFixed(1)} ms/MiB`
  );
  const values = `${keys} values of ${valueBytes} bytes`;
  const rate = `${mib.toFixed(1)} MiB in ${seconds.toFixed(2)} s: ${(mib / seconds).toFixed(1)} MiB/s`;
  console.log(`${values}: ${rate}   processor time: ${used.join(", ")}`);
  await standby.process.kill();
}

/** The data node's status, as soon as it is as it should be. */
async function look(isSo: (status: StatusReply) => boolean): Promise<StatusReply> {
  for (;;) {
    const status = await statusOf(workload, owner);
    if (status !== undefined && isSo(status)) return status;
    await new Promise((resolve) => setTimeout(resolve, LOOK_EVERY_MS));
  }
}
