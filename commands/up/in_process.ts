/** A whole cluster in this process: coordinator, masters and data nodes, with real ports and real files. */

import { DataNode } from "../../core/cluster/data_node.ts";
import { Master } from "../../core/cluster/master.ts";
import type { Coordinator } from "../../core/coordination/coordinator.ts";
import { embeddedCoordinator } from "../../core/coordination/embedded.ts";
import { announceNode } from "../framework/node.ts";
import { announceMaster } from "../framework/server.ts";
import { realWorld } from "../framework/world.ts";
import { type Cluster, type Plan, type Started, startNodes } from "./cluster.ts";

/** Resolves when a master is active and all nodes are ready; rejects when one cannot be. */
export async function startInProcess(plan: Plan, started: Started): Promise<Cluster> {
  const failed = Promise.withResolvers<Error>();
  const { disk, log } = await realWorld(plan.config, "coordinator");
  const coordinator = embeddedCoordinator({ disk, log, folder: `${plan.folder}/coordinator` });
  started.add(() => coordinator.close());
  const masters = await startMasters(plan, coordinator, started, failed.resolve);
  await startNodes(plan, async (node) => {
    const world = await realWorld(plan.config, node.name);
    const options = { world, coordinator, config: plan.config, address: "127.0.0.1:0", ...node };
    const program = new DataNode(options);
    announceNode(program, plan.io);
    await start(program, started, failed.resolve);
  });
  // Before all others, so that nobody takes the nodes that end one after the other for dead.
  started.add(async () => void await Promise.all(masters.map((master) => master.stop())));
  return { masters: masters.map(({ address }) => address), failed: failed.promise };
}

async function startMasters(
  plan: Plan,
  coordinator: Coordinator,
  started: Started,
  failed: (error: Error) => void,
): Promise<Master[]> {
  const masters: Master[] = [];
  for (const [index, address] of plan.masters.entries()) {
    const world = await realWorld(plan.config, `master${index + 1}`);
    const master = new Master({ world, coordinator, config: plan.config, address });
    await start(master, started, failed);
    announceMaster(master, plan.io);
    masters.push(master);
    // The first one is to be the active one, whenever the cluster is opened.
    if (index === 0) await active(master);
  }
  return masters;
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
