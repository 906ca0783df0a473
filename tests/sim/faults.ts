import type { Cluster } from "./cluster.ts";
import type { SeededRandom } from "./world/random.ts";

/** One kind of trouble. `inject` returns how to end it, for trouble that lasts, and undefined when it could not begin. */
interface Fault {
  readonly name: string;
  /** Mean length, for trouble that lasts. */
  readonly lastsMs: number;
  readonly inject: (cluster: Cluster, random: SeededRandom) => (() => void) | undefined;
}

const nothing = () => {};

/** Restarting takes from no time to longer than a session lives. */
const downMs = (random: SeededRandom): number => random.pick([50, 500, 2000, 6000]) * (0.5 + random.number());

function killAndRestart(
  kind: "data" | "master",
  how: "process" | "power",
): (cluster: Cluster, random: SeededRandom) => (() => void) | undefined {
  return (cluster, random) => {
    const machines = (kind === "data" ? cluster.dataNodes : cluster.masters).filter((machine) =>
      machine.alive
    );
    if (machines.length === 0) return undefined;
    const machine = random.pick(machines);
    machine.kill(how);
    machine.startIn(downMs(random));
    return nothing;
  };
}

export const FAULTS: readonly Fault[] = [
  {
    name: "call messages lost",
    lastsMs: 1500,
    inject: ({ network: { settings } }, random) => {
      settings.callLoss = random.pick([0.01, 0.1, 0.5]);
      return () => (settings.callLoss = 0);
    },
  },
  {
    name: "connections reset",
    lastsMs: 1500,
    inject: ({ network: { settings } }, random) => {
      settings.reset = random.pick([0.002, 0.02, 0.1]);
      return () => (settings.reset = 0);
    },
  },
  {
    name: "latency spikes",
    lastsMs: 1500,
    inject: ({ network: { settings } }, random) => {
      settings.spike = random.pick([0.02, 0.2]);
      settings.spikeMs = random.pick([20, 300, 3000]);
      return () => (settings.spike = 0);
    },
  },
  {
    name: "one-way partition",
    lastsMs: 2000,
    inject: ({ network, names }, random) => {
      const from = random.pick(names);
      const to = random.pick(names);
      if (from === to) return undefined;
      network.cut(from, to);
      return () => network.heal(from, to);
    },
  },
  {
    name: "two-way partition",
    lastsMs: 2000,
    inject: ({ network, names }, random) => {
      const inside = names.filter(() => random.chance(0.4));
      const pairs = inside.flatMap((a) =>
        names.filter((b) => !inside.includes(b)).flatMap((b) => [[a, b], [b, a]])
      );
      for (const [from, to] of pairs) network.cut(from!, to!);
      return () => {
        for (const [from, to] of pairs) network.heal(from!, to!);
      };
    },
  },
  { name: "data node killed", lastsMs: 0, inject: killAndRestart("data", "process") },
  { name: "data node without power", lastsMs: 0, inject: killAndRestart("data", "power") },
  { name: "master killed", lastsMs: 0, inject: killAndRestart("master", "process") },
  {
    name: "all data nodes without power",
    lastsMs: 0,
    inject: ({ dataNodes }, random) => {
      for (const machine of dataNodes.filter((machine) => machine.alive)) {
        machine.kill("power");
        machine.startIn(downMs(random));
      }
      return nothing;
    },
  },
  {
    name: "active master stopped",
    lastsMs: 0,
    inject: ({ masters }) => {
      const active = masters.find((machine) => machine.program?.active && !machine.process?.paused);
      if (active === undefined) return undefined;
      void active.program?.stop();
      return nothing;
    },
  },
  {
    name: "data node stopped",
    lastsMs: 0,
    inject: ({ dataNodes }, random) => {
      const running = dataNodes.filter((machine) => machine.ready && !machine.process?.paused);
      if (running.length === 0) return undefined;
      void random.pick(running).program?.stop();
      return nothing;
    },
  },
  {
    name: "client killed",
    lastsMs: 0,
    inject: ({ clients }, random) => {
      const machine = random.pick(clients);
      machine.kill("process");
      machine.startIn(downMs(random));
      return nothing;
    },
  },
  {
    name: "process paused",
    lastsMs: 2500,
    inject: ({ machines }, random) => {
      const running = machines.filter((machine) => machine.alive && !machine.process?.paused);
      if (running.length === 0) return undefined;
      const machine = random.pick(running);
      machine.pause();
      return () => machine.resume();
    },
  },
  {
    name: "session expired",
    lastsMs: 0,
    inject: ({ ensemble }, random) => {
      if (ensemble.sessions.length === 0) return undefined;
      ensemble.expire(random.pick(ensemble.sessions).id);
      return nothing;
    },
  },
  {
    name: "coordinator outage",
    lastsMs: 4000,
    inject: ({ ensemble }) => {
      ensemble.outage(true);
      return () => ensemble.outage(false);
    },
  },
  {
    name: "coordinator cut off",
    lastsMs: 3000,
    inject: ({ ensemble, names }, random) => {
      const name = random.pick(names);
      ensemble.cut(name, true);
      return () => ensemble.cut(name, false);
    },
  },
  {
    name: "coordinator connections lost",
    lastsMs: 2000,
    inject: ({ ensemble: { settings } }, random) => {
      settings.lossBefore = random.pick([0, 0.05, 0.2]);
      settings.lossAfter = random.pick([0.05, 0.2]);
      return () => (settings.lossBefore = settings.lossAfter = 0);
    },
  },
  {
    name: "coordinator server lags",
    lastsMs: 3000,
    inject: ({ ensemble }, random) => {
      const server = random.below(ensemble.settings.servers);
      ensemble.freeze(server, true);
      return () => ensemble.freeze(server, false);
    },
  },
  {
    name: "disk full",
    lastsMs: 1500,
    inject: ({ dataNodes }, random) => {
      const { disk } = random.pick(dataNodes);
      disk?.full(random.below(30_000));
      return () => disk?.full(undefined);
    },
  },
  {
    name: "power lost within a disk call",
    lastsMs: 0,
    inject: ({ dataNodes }, random) => {
      const running = dataNodes.filter((machine) => machine.alive);
      if (running.length === 0) return undefined;
      random.pick(running).disk?.failPowerWithin(random.pick([5, 50, 500]));
      return nothing;
    },
  },
  {
    name: "bit rot",
    lastsMs: 0,
    inject: (cluster, random) => {
      if (!random.pick(cluster.dataNodes).disk?.rot()) return undefined;
      cluster.workload.rotten = true;
      return nothing;
    },
  },
  {
    name: "next sync fails",
    lastsMs: 0,
    inject: ({ dataNodes }, random) => {
      random.pick(dataNodes).disk?.failNextSync();
      return nothing;
    },
  },
];

export const FAULT_NAMES: readonly string[] = FAULTS.map((fault) => fault.name);

/** Injects the faults that the plan has, until told to stop. */
export class FaultInjector {
  readonly #endings = new Set<() => void>();
  #stopped = false;

  constructor(readonly cluster: Cluster, readonly random: SeededRandom) {
    for (const fault of FAULTS) {
      const everyMs = cluster.plan.faultEveryMs.get(fault.name);
      if (everyMs !== undefined) this.#next(fault, everyMs, random.fork(fault.name));
    }
  }

  /** Ends everything that lasts; nothing new begins. */
  stop(): void {
    this.#stopped = true;
    for (const end of [...this.#endings]) end();
  }

  #next(fault: Fault, everyMs: number, random: SeededRandom): void {
    const { scheduler } = this.cluster;
    scheduler.after(random.exponential(everyMs), () => {
      if (this.#stopped) return;
      this.#inject(fault, random);
      this.#next(fault, everyMs, random);
    });
  }

  #inject(fault: Fault, random: SeededRandom): void {
    const { cluster } = this;
    const undo = fault.inject(cluster, random);
    if (undo === undefined) return;
    cluster.count(fault.name);
    cluster.trace(`fault: ${fault.name}`);
    if (undo === nothing) return;
    const end = () => {
      if (!this.#endings.delete(end)) return;
      cluster.trace(`fault ends: ${fault.name}`);
      undo();
    };
    this.#endings.add(end);
    cluster.scheduler.after(random.exponential(fault.lastsMs), end);
  }
}
