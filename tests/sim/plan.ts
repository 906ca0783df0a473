import { type Config, defaultConfig } from "../../core/platform/config.ts";
import type { EngineLimits } from "../../core/storage/engine.ts";
import type { SeededRandom } from "./world/random.ts";

/** What a run is like: drawn from the seed, so that runs differ in kind and not only in detail. */
export interface Plan {
  /** `syncNowBytesMax`: larger groups are synced while the process does other things. */
  readonly config: Config & Pick<EngineLimits, "syncNowBytesMax">;
  readonly masters: number;
  readonly dataNodes: number;
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
  readonly clockSkew: number;
  readonly slowDisks: boolean;
  /** Mean time between two faults of a kind, for the kinds that this run has. */
  readonly faultEveryMs: ReadonlyMap<string, number>;
  /** At the end, cut the power of all data nodes at once before everything is read again. */
  readonly finalPowerLoss: boolean;
}

export function drawPlan(seed: SeededRandom, operations: number, faults: readonly string[]): Plan {
  const random = seed.fork("plan");
  const faultEveryMs = new Map<string, number>();
  const faultShare = random.pick([0, 0.15, 0.3, 0.6]);
  for (const name of faults) {
    const everyMs = random.pick([700, 2000, 5000]);
    if (random.chance(faultShare)) faultEveryMs.set(name, everyMs);
  }
  const keys = Array.from({ length: random.pick([2, 4, 8, 16]) }, (_, i) => `key${i}-${random.below(1000)}`);
  return {
    config: drawConfig(random),
    masters: random.pick([1, 2, 2, 3]),
    dataNodes: random.pick([1, 2, 3, 3, 4]),
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
    valueBytesMax: random.pick([30, 30, 300, 2000]),
    slowDisks: random.chance(0.3),
    clockSkew: random.pick([0, 0.002, 0.01]),
    faultEveryMs,
    finalPowerLoss: random.chance(0.5),
  };
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
    clientsMax: random.pick([2, 100, 10_000]),
    registerLockMs: random.pick([6_000, 10_000]),
    pingPeriodMs: 300,
  };
}
