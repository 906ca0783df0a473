/** The failures that are measured. */

import { activeMasters, refKey, statusOf } from "../../e2e/harness/health.ts";
import type { Server } from "../../e2e/harness/server.ts";
import type { World } from "../../e2e/harness/world.ts";
import { type Figures, longest, outage } from "./figures.ts";
import type { Probes } from "./probes.ts";

export interface Stage {
  readonly world: World;
  readonly probes: Probes;
}

export interface Scenario {
  readonly name: string;
  readonly title: string;
  /** What is to be reached, by the name of the figure. */
  readonly goals: Readonly<Record<string, string>>;
  /** Fails, measures, and leaves the cluster to recover. */
  run(stage: Stage): Promise<Figures>;
}

/** How a data node fails, and how it comes back by itself. */
interface Failure {
  readonly begin: (victim: Server) => void;
  readonly end: (victim: Server) => Promise<void> | void;
}

const killed: Failure = { begin: (victim) => victim.process.signal("SIGKILL"), end: revive };
const stopped: Failure = {
  begin: (victim) => victim.process.signal("SIGSTOP"),
  end: (victim) => victim.process.signal("SIGCONT"),
};
const cutOff: Failure = { begin: (victim) => victim.host!.cut(), end: (victim) => victim.host!.join() };

/** Operations before a failure: so many that each slot has seen some, or as many as there are until a master takes over. */
const SOME = 200;
const MANY = 5000;

const SLOW = { "first operation again": "p50 <= 1,500, p99 <= 2,500" };

export const SCENARIOS: readonly Scenario[] = [
  {
    name: "kill-data",
    title: "kill -9 of a data node",
    goals: { "first operation again": "p50 <= 800, p99 <= 1,200" },
    run: (stage) => loseData(stage, killed),
  },
  {
    name: "stop-data",
    title: "SIGSTOP of a data node",
    goals: SLOW,
    run: (stage) => loseData(stage, stopped),
  },
  {
    name: "cut-data",
    title: "network cut of a data node",
    goals: SLOW,
    run: (stage) => loseData(stage, cutOff),
  },
  {
    name: "kill-master",
    title: "kill -9 of the active master",
    goals: { "failed operations": "0", "longest operation, above before": "<= 100" },
    run: loseMaster,
  },
  {
    name: "kill-both",
    title: "kill -9 of the active master and a data node together",
    goals: {},
    run: async (stage) => {
      const master = await activeMaster(stage);
      const begin = (victim: Server) => [victim, master].forEach(({ process }) => process.signal("SIGKILL"));
      const figures = await loseData(stage, { begin, end: revive });
      await revive(master);
      return figures;
    },
  },
  {
    name: "kill-standby",
    title: "kill -9 of a standby",
    goals: { "longest write": "max <= 1,200" },
    run: loseStandby,
  },
];

/** The victim's slots go to a standby, and a new standby comes in its place, with an empty folder. */
async function loseData({ world, probes }: Stage, { begin, end }: Failure): Promise<Figures> {
  const { cluster, shape } = world;
  const victim = pick(cluster.nodes.filter(({ announced }) => announced?.role === "data"));
  const slots = await slotsOf(world, victim, probes.slots);
  probes.forget();
  await probes.more(SOME);
  const fromMs = performance.now();
  begin(victim);
  const begunMs = performance.now();
  // Without standbys nobody else can serve: then it is the return of the node itself that is measured.
  if (shape.standbys === 0) await end(victim);
  await probes.writable(slots, begunMs);
  const figures = outage(probes.samples, slots, fromMs);
  if (shape.standbys > 0) {
    await victim.process.kill();
    victim.host!.join();
    cluster.restartEmpty(victim);
  }
  return figures;
}

async function loseMaster({ world, probes }: Stage): Promise<Figures> {
  const master = await activeMaster({ world, probes });
  const all = new Set(probes.slots);
  probes.forget();
  const beforeMs = performance.now();
  await probes.more(MANY);
  const fromMs = performance.now();
  await master.process.kill();
  const other = world.cluster.masters.find((each) => each !== master)!;
  await other.process.ready("master");
  const activeMs = performance.now();
  await probes.writable(all, activeMs);
  await revive(master);
  const before = longest(probes.samples, beforeMs, fromMs);
  const after = longest(probes.samples, fromMs);
  return {
    "failed operations": probes.samples.filter(({ error }) => error !== undefined).length,
    "longest operation before": before,
    "longest operation": after,
    "longest operation, above before": after - before,
    "other master active": activeMs - fromMs,
  };
}

async function loseStandby({ world, probes }: Stage): Promise<Figures> {
  const { cluster } = world;
  const victim = pick(cluster.nodes.filter(({ announced }) => announced?.role === "standby"));
  probes.forget();
  await probes.more(SOME);
  const fromMs = performance.now();
  await victim.process.kill();
  await probes.writable(new Set(probes.slots), performance.now());
  const { samples } = probes;
  cluster.restartEmpty(victim);
  return {
    "failed operations": samples.filter(({ error }) => error !== undefined).length,
    "longest write": longest(samples.filter(({ write }) => write), fromMs),
  };
}

async function activeMaster({ world: { observer, cluster } }: Stage): Promise<Server> {
  return (await activeMasters(observer, cluster.masters))[0]!;
}

async function revive(server: Server): Promise<void> {
  await server.process.kill();
  server.startAgain();
}

/** Those of the slots that the server owns. */
async function slotsOf({ observer }: World, server: Server, slots: readonly number[]): Promise<Set<number>> {
  const [ring, status] = await Promise.all([observer.client.ring(), statusOf(observer, server)]);
  return new Set(slots.filter((slot) => refKey(ring.slots[slot]!.owner) === refKey(status?.node)));
}

function pick<T>(from: readonly T[]): T {
  return from[Math.floor(Math.random() * from.length)]!;
}
