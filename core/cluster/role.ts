import type { Coordinator } from "../coordination/coordinator.ts";
import type { Config } from "../platform/config.ts";
import type { Address, World } from "../platform/ports.ts";
import type { ClusterSettings } from "../ring/ring.ts";

/** What every server is made of. */
export interface RoleOptions {
  readonly world: World;
  readonly coordinator: Coordinator;
  readonly config: Config;
  /** Where to listen; port 0 takes a free one. */
  readonly address: Address;
}

/** What a node is: it owns slots, or stands by. */
export type NodeRole = "data" | "standby";

/** Shown by `kv --version` and in every status. */
export const VERSION = "0.1.0";

/** What the configuration says of the cluster as a whole. */
export function settingsOf(config: Config): ClusterSettings {
  return { msn: config.msn, hash: "fnv1a32", levels: config.levels };
}
