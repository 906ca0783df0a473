import type { Cluster } from "../cluster.ts";
import type { Machine, Program } from "../machine.ts";
import type { SeededRandom } from "../world/random.ts";
import { downMs, type Fault } from "./fault.ts";

type Inject = Fault["inject"];

function killAndRestart(
  among: (cluster: Cluster) => readonly Machine<Program>[],
  how: "process" | "power",
): Inject {
  return (cluster, random) => {
    const machines = among(cluster).filter((machine) => machine.alive);
    if (machines.length === 0) return undefined;
    const machine = random.pick(machines);
    machine.kill(how);
    machine.startIn(downMs(random));
    return true;
  };
}

/** The machines whose process runs and does not stand still. */
function running<P extends Program>(machines: readonly Machine<P>[]): Machine<P>[] {
  return machines.filter((machine) => machine.alive && !machine.process?.paused);
}

function pause(how: "paused" | "suspended", someMs: (random: SeededRandom) => number): Inject {
  return (cluster, random) => {
    const machines = running(cluster.machines);
    if (machines.length === 0) return undefined;
    const machine = random.pick(machines);
    machine.pause(how);
    // A length of its own, so that short and very long ones come in one run.
    cluster.scheduler.after(someMs(random), () => machine.resume());
    return true;
  };
}

export const PROCESS_FAULTS: readonly Fault[] = [
  {
    name: "data node killed",
    group: "process",
    inject: killAndRestart(({ dataNodes }) => dataNodes, "process"),
  },
  {
    name: "standby killed",
    group: "process",
    replicated: true,
    inject: killAndRestart(({ standbys }) => standbys, "process"),
  },
  { name: "node without power", group: "process", inject: killAndRestart(({ nodes }) => nodes, "power") },
  { name: "master killed", group: "process", inject: killAndRestart(({ masters }) => masters, "process") },
  { name: "client killed", group: "process", inject: killAndRestart(({ clients }) => clients, "process") },
  {
    name: "all nodes without power",
    group: "process",
    inject: ({ nodes }, random) => {
      for (const machine of nodes.filter((machine) => machine.alive)) {
        machine.kill("power");
        machine.startIn(downMs(random));
      }
      return true;
    },
  },
  {
    name: "active master stopped",
    group: "process",
    inject: ({ masters }) => {
      const active = running(masters).find((machine) => machine.program?.active);
      void active?.program?.stop();
      return active && true;
    },
  },
  {
    name: "process paused",
    group: "process",
    inject: pause("paused", (random) => random.pick([30, 300, 1500, 4000, 12_000]) * (0.5 + random.number())),
  },
  {
    name: "machine suspended",
    group: "clock",
    inject: pause("suspended", (random) => random.pick([300, 1500, 5000]) * (0.5 + random.number())),
  },
  {
    name: "wall clock set",
    group: "clock",
    inject: ({ machines }, random) => {
      const { clock, process } = random.pick(machines);
      // Nobody sets the clock of a machine that sleeps: nothing could tell it from a shorter sleep.
      if (process?.paused) return undefined;
      clock?.wallJumps(random.pick([-3_600_000, -1000, 1000, 3_600_000]) * random.number());
      return clock && true;
    },
  },
];
