/** What a fault is, and what it is drawn from. */

import type { Random } from "../../../core/platform/ports.ts";
import type { Group, World } from "../harness/world.ts";
import type { Target } from "./target.ts";

/** Something to be done to a target, and undone; after that the groups concerned still have to recover. */
export interface Fault {
  /** For counting: `pause active master`. */
  readonly kind: string;
  readonly description: string;
  readonly groups: ReadonlySet<Group>;
  run(world: World): Promise<void>;
}

/** What can be done at this moment. */
export interface Scene {
  readonly targets: readonly Target[];
  readonly busy: ReadonlySet<Group>;
  /** Data nodes that the cluster is to have. */
  readonly data: number;
  /** The data node that has left last and may come back. */
  readonly retired: string | undefined;
}

export interface Draw {
  readonly scene: Scene;
  readonly target: Target;
  /** Another one, for cuts between two. */
  readonly peer: Target;
  readonly random: Random;
}

export type Plan = Pick<Fault, "description" | "run"> & { readonly withPeer?: true };

export function between(random: Random, leastMs: number, mostMs: number): number {
  return leastMs + random.below(mostMs - leastMs);
}

export function seconds(ms: number): string {
  return `${(ms / 1000).toFixed(1)} s`;
}
