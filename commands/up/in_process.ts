/** A whole cluster in this process: coordinator, masters and data nodes, with real ports and real files. */

import { DataNode } from "../../core/cluster/data_node.ts";
import { Master } from "../../core/cluster/master.ts";
import type { Coordinator } from "../../core/coordination/coordinator.ts";
import { embeddedCoordinator } from "../../core/coordination/embedded.ts";
import type { Address } from "../../core/platform/ports.ts";
import { announceMaster } from "../framework/server.ts";
import { realWorld } from "../framework/world.ts";
import type { Cluster, Plan, Started } from "./cluster.ts";

/** Resolves when a master is active and all data nodes serve; rejects when one cannot. */
export async function startInProcess(plan: Plan, started: Started): Promise<Cluster> {
  const failed = Promise.withResolvers<Error>();
  const { disk, log } = await realWorld(plan.config, "coordinator");
  const coordinator = embeddedCoordinator({ disk, log, folder: `${plan.folder}/coordinator` });
  started.add(() => coordinator.close());
  const masters = await startMasters(plan, coordinator, started, failed.resolve);
  // One after the other, so that the first gets label 0, the second 68, and so on.
  for (const [index, folder] of plan.dataFolders.entries()) {
    const world = await realWorld(plan.config, `data${index + 1}`);
    const node = new DataNode({ world, coordinator, config: plan.config, address: "127.0.0.1:0", folder });
    await start(node, started, failed.resolve);
    plan.io.out(`ready data ${node.address}\n`);
  }
  return { masters, failed: failed.promise };
}

async function startMasters(
  plan: Plan,
  coordinator: Coordinator,
  started: Started,
  failed: (error: Error) => void,
): Promise<Address[]> {
  const addresses: Address[] = [];
  for (const [index, address] of plan.masters.entries()) {
    const world = await realWorld(plan.config, `master${index + 1}`);
    const master = new Master({ world, coordinator, config: plan.config, address });
    await start(master, started, failed);
    announceMaster(master, plan.io);
    addresses.push(master.address);
    // The first one is to be the active one, whenever the cluster is opened.
    if (index === 0) await active(master);
  }
  return addresses;
}

/** Resolves when the master is active; rejects when it ends before. */
async function active(master: Master): Promise<void> {
  if (master.active) return;
  const became = Promise.withResolvers<void>();
  const cancel = master.onActive(became.resolve);
  const ended = master.stopped.then((error) => Promise.reject(error ?? new Error("the master was stopped")));
  ended.catch(() => {});
  await Promise.race([became.promise, ended]);
  cancel();
}

async function start(
  role: Master | DataNode,
  started: Started,
  failed: (error: Error) => void,
): Promise<void> {
  started.add(() => role.stop());
  await role.start();
  role.stopped.then((error) => {
    if (error !== undefined) failed(error);
  });
}
