import { type Config, defaultConfig } from "../../core/platform/config.ts";
import type { EngineLimits } from "../../core/storage/engine.ts";
import { FAULTS } from "./faults.ts";
import type { SeededRandom } from "./world/random.ts";

/** Standbys, copies and everything that a cluster does only with them. False: masters and data nodes alone. */
export const REPLICATION = true;

/** What a run is like: drawn from the seed, so that runs differ in kind and not only in detail. */
export interface Plan {
  /** One of {@link PROFILES}, or "operators". */
  readonly profile: string;
  /** `syncNowBytesMax`: larger groups are synced while the process does other things. */
  readonly config: Config & Pick<EngineLimits, "syncNowBytesMax">;
  readonly masters: number;
  readonly dataNodes: number;
  readonly standbys: number;
  /** Nodes are started for the first time within this time. */
  readonly startWithinMs: number;
  readonly clients: number;
  /** Operations that one client has under way at once. */
  readonly clientConcurrency: number;
  readonly keys: readonly string[];
  /** All clients together. */
  readonly operations: number;
  /** Mean pause of a client between two operations. */
  readonly thinkMs: number;
  /** Share of each kind of operation; they need not add up to 1. */
  readonly mix: Readonly<Record<"get" | "put" | "delete" | "conditional", number>>;
  readonly valueBytesMax: number;
  /** Clocks run wrong by up to this share, so two of them by twice that. */
  readonly clockSkew: number;
  readonly timerLateMsMax: number;
  readonly slowDisks: boolean;
  /** Mean time between two faults of a kind, for the kinds that this run has. */
  readonly faultEveryMs: ReadonlyMap<string, number>;
  /** At the end, cut the power of all nodes at once before everything is read again. */
  readonly finalPowerLoss: boolean;
}

/** Kinds of runs: how likely each fault of a group is in them. A group that is not named has none. */
const PROFILES: Readonly<Record<string, Readonly<Record<string, number>>>> = {
  calm: {},
  mixed: { network: 0.3, process: 0.3, coordinator: 0.3, disk: 0.3, membership: 0.3, clock: 0.3, aimed: 0.3 },
  everything: {
    network: 0.7,
    process: 0.7,
    coordinator: 0.7,
    disk: 0.5,
    membership: 0.6,
    clock: 0.7,
    aimed: 0.7,
  },
  sparse: {
    network: 0.1,
    process: 0.15,
    coordinator: 0.1,
    disk: 0.1,
    membership: 0.15,
    clock: 0.1,
    aimed: 0.15,
  },
  failover: { process: 0.4, aimed: 0.6 },
  partitions: { network: 0.7, coordinator: 0.5, clock: 0.3 },
  disks: { disk: 0.7, process: 0.2, membership: 0.3 },
  membership: { membership: 0.8, aimed: 0.3, process: 0.2 },
};

/** A kind of its own, and rare: where operators accept the loss of writes, less can be checked. */
const OPERATORS: Readonly<Record<string, number>> = { operator: 0.8, disk: 0.4, process: 0.3, network: 0.2 };
const OPERATORS_SHARE = 0.1;

export function drawPlan(seed: SeededRandom, operations: number): Plan {
  const random = seed.fork("plan");
  const usual = random.pick([...Object.keys(PROFILES), "mixed", "everything", "failover"]);
  const profile = seed.fork("operators").chance(OPERATORS_SHARE) ? "operators" : usual;
  const keys = Array.from({ length: random.pick([2, 4, 8, 16]) }, (_, i) => `key${i}-${random.below(1000)}`);
  return {
    profile,
    ...drawShape(random.fork("shape")),
    clients: random.pick([1, 3, 4, 6]),
    clientConcurrency: random.pick([1, 1, 2, 4]),
    keys,
    operations,
    thinkMs: random.pick([5, 20, 50]),
    mix: {
      get: random.pick([0.2, 0.5]),
      put: random.pick([0.2, 0.5]),
      delete: random.pick([0.05, 0.2]),
      conditional: random.pick([0, 0.1, 0.4]),
    },
    valueBytesMax: random.pick([30, 300, 2000]),
    slowDisks: random.chance(0.3),
    clockSkew: random.pick([0, 0.002, 0.01]),
    timerLateMsMax: random.pick([1, 1, 20, 200]),
    faultEveryMs: drawFaults(random.fork("faults"), profile),
    finalPowerLoss: random.chance(0.5),
  };
}

function drawFaults(random: SeededRandom, profile: string): Map<string, number> {
  const chances = PROFILES[profile] ?? OPERATORS;
  // Fewer kinds at a time in most runs: what one kind shows, ten others hide.
  const share = random.pick([0.3, 1, 1]);
  const faultEveryMs = new Map<string, number>();
  for (const { name, group, replicated } of FAULTS) {
    const everyMs = random.pick([700, 2000, 5000, 15_000]);
    const wanted = random.chance(share * (chances[group] ?? 0));
    if (wanted && (REPLICATION || !replicated)) faultEveryMs.set(name, everyMs);
  }
  return faultEveryMs;
}

function drawShape(
  random: SeededRandom,
): Pick<Plan, "masters" | "dataNodes" | "standbys" | "startWithinMs" | "config"> {
  const shape = {
    masters: random.pick([1, 2, 2, 3]),
    dataNodes: random.pick([1, 2, 3, 3, 4]),
    standbys: random.pick([0, 1, 2, 2, 3]),
    startWithinMs: random.pick([1000, 4000, 4000, 20_000]),
  };
  const standbys = REPLICATION ? shape.standbys : 0;
  const replicas = random.pick([0, 0, 1, 2]);
  // As many as can be in sync as long as all are there.
  const copies = 1 + (replicas === 0 ? standbys : Math.min(replicas, standbys));
  const minInSync = Math.min(copies, random.pick([1, 1, 1, 2]));
  const promiseMs = random.pick([200, 400, 600, 600, 1000]);
  return { ...shape, standbys, config: { ...drawConfig(random), replicas, minInSync, promiseMs } };
}

/** Log and data files far smaller than is allowed outside, so that checkpoints and compaction never rest. */
function drawConfig(random: SeededRandom): Plan["config"] {
  const segmentBytes = random.pick([6_000, 20_000, 100_000]);
  const checkpointBytes = segmentBytes * random.pick([1, 2, 4]);
  return {
    ...defaultConfig(),
    root: "/kv",
    msn: random.pick([13, 17]),
    levels: random.pick([1, 2]),
    syncNowBytesMax: random.pick([0, 500, 100_000]),
    keyBytesMax: 100,
    valueBytesMax: 4_000,
    segmentBytes,
    checkpointBytes,
    reserveBytes: checkpointBytes + 20_000,
    compactBytesMin: random.pick([500, 4_000]),
    cacheBytesMax: random.pick([0, 4_000, 1_000_000]),
    clientsMax: random.pick([2, 2, 100, 10_000]),
    transferBytesPerSecond: random.pick([20_000, 1_000_000, 64_000_000]),
    registerLockMs: random.pick([6_000, 10_000]),
    pingPeriodMs: 300,
    // Last, so that the rest of a plan stays what it was.
    compareEveryMs: random.pick([0, 100, 100, 1000]),
  };
}
