import type { Cluster } from "../cluster.ts";
import type { SeededRandom } from "../world/random.ts";

export type FaultGroup =
  | "network"
  | "process"
  | "coordinator"
  | "disk"
  | "membership"
  | "clock"
  | "operator"
  | "aimed";

/** Ends trouble that lasts. */
export type End = () => void;

/** One kind of trouble. */
export interface Fault {
  readonly name: string;
  readonly group: FaultGroup;
  /** Mean length, for trouble that lasts. */
  readonly lastsMs?: number;
  /** Makes sense only where slots have copies. */
  readonly replicated?: boolean;
  /** Returns how to end it, `true` for trouble that needs no end, `undefined` when it could not begin. */
  readonly inject: (cluster: Cluster, random: SeededRandom) => End | true | undefined;
}

/** Restarting takes from no time to longer than a session lives. */
export function downMs(random: SeededRandom): number {
  return random.pick([50, 500, 2000, 6000]) * (0.5 + random.number());
}
