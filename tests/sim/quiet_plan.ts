import { defaultConfig } from "../../core/platform/config.ts";
import type { Plan } from "./plan.ts";

const QUIET: Omit<Plan, "config"> = {
  profile: "quiet",
  masters: 2,
  dataNodes: 1,
  standbys: 1,
  startWithinMs: 0,
  clients: 1,
  clientConcurrency: 1,
  keys: ["a"],
  operations: 0,
  thinkMs: 1,
  mix: { get: 1, put: 1, delete: 0, conditional: 0 },
  valueBytesMax: 30,
  clockSkew: 0,
  timerLateMsMax: 0,
  slowDisks: false,
  faultEveryMs: new Map(),
  finalPowerLoss: false,
};

/** A cluster without any chance trouble or load: what happens in it is for a script to say. */
export function quietPlan(
  { config = {}, ...shape }: Partial<Omit<Plan, "config">> & { config?: Partial<Plan["config"]> },
): Plan {
  const small = { ...defaultConfig(), root: "/kv", msn: 13, levels: 1, syncNowBytesMax: 100_000 };
  return { ...QUIET, ...shape, config: { ...small, ...config } };
}
