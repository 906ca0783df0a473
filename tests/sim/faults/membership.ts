import type { DataNode } from "../../../core/cluster/data_node.ts";
import type { Cluster } from "../cluster.ts";
import type { Machine } from "../machine.ts";
import type { SeededRandom } from "../world/random.ts";
import { downMs, type Fault } from "./fault.ts";

/** A node that runs, and can hear what it is told. */
function somebody({ nodes }: Cluster, random: SeededRandom): Machine<DataNode> | undefined {
  const running = nodes.filter((machine) => machine.ready && !machine.process?.paused);
  return running.length === 0 ? undefined : random.pick(running);
}

export const MEMBERSHIP_FAULTS: readonly Fault[] = [
  {
    name: "node stopped in order, and back",
    group: "membership",
    inject: (cluster, random) => {
      const machine = somebody(cluster, random);
      if (machine === undefined) return undefined;
      machine.restartAfterMs = downMs(random);
      void machine.program?.stop();
      return true;
    },
  },
  {
    // What else happens meanwhile breaks it off, at whatever step.
    name: "node leaves, and comes back",
    group: "membership",
    inject: (cluster, random) => {
      const machine = somebody(cluster, random);
      if (machine === undefined) return undefined;
      machine.restartAfterMs = downMs(random);
      void machine.program?.leave();
      return true;
    },
  },
  {
    name: "shares evened out, or by the rule again",
    group: "membership",
    inject: (cluster, random) => {
      const asking = cluster.clients.find(({ ready }) => ready)?.program?.client;
      if (asking === undefined) return undefined;
      const undo = random.chance(0.4);
      void asking.admin.rebalance(undo).then(
        ({ assigned }) => cluster.count(assigned.length > 0 ? "shares are even" : "shares are by the rule"),
        () => cluster.count("not rebalanced: no master decided in time"),
      );
      return true;
    },
  },
  {
    name: "node away for long",
    group: "membership",
    inject: ({ nodes }, random) => {
      const machine = random.pick(nodes);
      if (!machine.alive) return undefined;
      machine.kill("process");
      machine.startIn(random.between(6000, 20_000));
      return true;
    },
  },
  {
    name: "node comes back with an empty disk",
    group: "membership",
    replicated: true,
    inject: (cluster, random) => {
      const machine = random.pick(cluster.nodes);
      if (!cluster.mayLose(machine)) return undefined;
      cluster.lose(machine);
      machine.startIn(downMs(random));
      return true;
    },
  },
];
