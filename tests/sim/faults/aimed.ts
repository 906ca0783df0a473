import type { Ring } from "../../../core/ring/ring.ts";
import type { Cluster } from "../cluster.ts";
import type { Machine, Program } from "../machine.ts";
import type { SeededRandom } from "../world/random.ts";
import { downMs, type End, type Fault } from "./fault.ts";

/** What chance would seldom do: trouble for those who matter at the moment. */
export const AIMED_FAULTS: readonly Fault[] = [
  {
    name: "owner of the busiest slot killed",
    group: "aimed",
    inject: (cluster, random) => strike(cluster, random, cluster.busiestOwner(), "killed"),
  },
  {
    name: "owner of the busiest slot paused",
    group: "aimed",
    inject: (cluster, random) => strike(cluster, random, cluster.busiestOwner(), "paused"),
  },
  {
    name: "owner of the busiest slot cut off from its followers",
    group: "aimed",
    lastsMs: 2500,
    replicated: true,
    inject: (cluster, random) => {
      const owner = cluster.busiestOwner();
      if (owner === undefined) return undefined;
      const oneWay = random.chance(0.3);
      const others = cluster.nodes.filter((machine) => machine !== owner).map(({ name }) => name);
      for (const name of others) cluster.network.cut(owner.name, name);
      if (!oneWay) { for (const name of others) cluster.network.cut(name, owner.name); }
      return () => {
        for (const name of others) {
          cluster.network.heal(owner.name, name);
          cluster.network.heal(name, owner.name);
        }
      };
    },
  },
  {
    name: "owner of the busiest slot out of the masters' reach, its followers restarted",
    group: "aimed",
    lastsMs: 2500,
    replicated: true,
    inject: (cluster, random) => {
      const owner = cluster.busiestOwner();
      if (owner === undefined) return undefined;
      const masters = cluster.masters.map(({ name }) => name);
      const others = cluster.nodes.filter((machine) => machine !== owner);
      for (const name of masters) {
        cluster.network.cut(owner.name, name);
        cluster.network.cut(name, owner.name);
      }
      // They have promised the owner, who goes on, and are asked to take its place as soon as they are back.
      cluster.scheduler.after(1000 * random.number(), () => {
        for (const machine of others) {
          if (!machine.alive) continue;
          machine.kill("process");
          machine.startIn(5 + 50 * random.number());
        }
      });
      return () => {
        for (const name of masters) {
          cluster.network.heal(owner.name, name);
          cluster.network.heal(name, owner.name);
        }
      };
    },
  },
  {
    name: "owner and active master killed together",
    group: "aimed",
    inject: (cluster, random) => {
      const master = cluster.masters.find((machine) => machine.program?.active);
      const struck = strike(cluster, random, cluster.busiestOwner(), "killed");
      return struck && strike(cluster, random, master, "killed");
    },
  },
  {
    name: "trouble right after a ring write",
    group: "aimed",
    lastsMs: 8000,
    inject: (cluster, random) => {
      const listener = (ring: Ring, before: Ring | undefined) => {
        if (!random.chance(0.4)) return;
        const chosen = afterRingWrite(cluster, ring, before, random);
        if (chosen === undefined) return;
        cluster.scheduler.after(random.pick([0, 0, 1, 5, 50]) * random.number(), () => {
          cluster.count("trouble within 50 ms of a ring write");
          strike(cluster, random, chosen, random.pick(["killed", "killed", "paused"]));
        });
      };
      return cluster.rings.onWrite(listener) satisfies End;
    },
  },
  {
    name: "active master thrown back to an old ring",
    group: "aimed",
    lastsMs: 5000,
    inject: throwBack,
  },
];

/** A server of the coordinator stands still; after the next write of the ring it is the only one that the writer reaches. */
function throwBack({ ensemble, rings, masters }: Cluster, random: SeededRandom): End {
  const { servers } = ensemble.settings;
  const old = random.below(servers);
  const others = Array.from({ length: servers }, (_, server) => server).filter((server) => server !== old);
  let thrown: string | undefined;
  const throwNow = (on: boolean) => {
    for (const server of others) ensemble.cutServer(thrown!, server, on);
  };
  ensemble.freeze(old, true);
  const stopListening = rings.onWrite(() => {
    const active = masters.find(({ program }) => program?.active);
    if (thrown !== undefined || active === undefined) return;
    thrown = active.name;
    throwNow(true);
    ensemble.kick(thrown);
  });
  return () => {
    stopListening();
    ensemble.freeze(old, false);
    if (thrown !== undefined) throwNow(false);
  };
}

/** The master that wrote it, or one that won or lost a slot by it. */
function afterRingWrite(
  cluster: Cluster,
  ring: Ring,
  before: Ring | undefined,
  random: SeededRandom,
): Machine<Program> | undefined {
  const concerned: (Machine<Program> | undefined)[] = [
    cluster.masters.find(({ program }) => program?.active),
  ];
  ring.slots.forEach(({ owner, epoch }, slot) => {
    const entry = before?.slots[slot];
    if (entry?.epoch === epoch) return;
    concerned.push(cluster.machineOf(owner?.id), cluster.machineOf(entry?.owner?.id));
  });
  const machines = concerned.filter((machine) => machine !== undefined);
  return machines.length === 0 ? undefined : random.pick(machines);
}

function strike(
  cluster: Cluster,
  random: SeededRandom,
  machine: Machine<Program> | undefined,
  how: "killed" | "paused",
): true | undefined {
  if (!machine?.alive) return undefined;
  if (how === "killed") {
    machine.kill(random.chance(0.3) ? "power" : "process");
    machine.startIn(downMs(random));
  } else {
    machine.pause();
    cluster.scheduler.after(random.pick([300, 1500, 4000]) * (0.5 + random.number()), () => machine.resume());
  }
  return true;
}
