/** A cluster of one process for each role, on a ZooKeeper ensemble. */

import { settingFlags } from "../../core/platform/config_text.ts";
import type { Address } from "../../core/platform/ports.ts";
import { Child } from "./child.ts";
import { type Cluster, type Plan, type Started, startNodes } from "./cluster.ts";
import { openEnsemble } from "./ensemble.ts";

/** Resolves when a master is active and all nodes are ready; rejects when one cannot be. */
export async function startProcesses(plan: Plan, started: Started): Promise<Cluster> {
  const ensemble = openEnsemble(plan);
  started.add(() => ensemble.then((stop) => stop(), () => {}));
  await ensemble;
  const children: Child[] = [];
  const masters: Address[] = [];
  for (const [index, address] of plan.masters.entries()) {
    const master = spawn(plan, `master${index + 1}`, ["master", "--addr", address], started);
    children.push(master);
    masters.push((await master.line("waiting master ")).slice("waiting master ".length));
    // The first one is to be the active one, whenever the cluster is opened.
    if (index === 0) await master.line("ready master ");
  }
  const ofMasters = [...children];
  await startNodes(plan, async ({ name, role, folder }) => {
    const node = spawn(plan, name, [role, "--addr", "127.0.0.1:", "--data", folder], started);
    children.push(node);
    await node.line("ready ");
  });
  // Before all others, so that nobody takes the nodes that end one after the other for dead.
  started.add(async () => void await Promise.all(ofMasters.map((master) => master.stop())));
  return { masters, failed: allEnded(plan, children, started) };
}

function spawn(plan: Plan, name: string, args: readonly string[], started: Started): Child {
  const child = new Child(name, [...args, ...sameSettings(plan, args[0]!)], plan.io);
  started.add(() => child.stop());
  return child;
}

/** The flags of `kv up` that the role has too. */
function sameSettings({ typed }: Plan, role: string): string[] {
  const flags = ["cfg", ...settingFlags(role).map(({ flag }) => flag)];
  return flags.filter((flag) => typed[flag] !== undefined).map((flag) => `--${flag}=${typed[flag]}`);
}

/** Tells of each process that ends by itself. That is no reason to stop the others: to live on is what they are for. */
async function allEnded({ io }: Plan, children: readonly Child[], started: Started): Promise<Error> {
  await Promise.all(children.map(async (child) => {
    const code = await child.ended;
    if (!started.stopping) io.err(`${child.name} ended with code ${code}`);
  }));
  return new Error("all processes of the cluster have ended");
}
