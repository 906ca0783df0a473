/** What `kv up` runs, whether in one process or in many. */

import type { NodeRole } from "../../core/cluster/role.ts";
import type { Config } from "../../core/platform/config.ts";
import type { Address } from "../../core/platform/ports.ts";
import type { Io } from "../framework/io.ts";

/** A node that is to run. */
export interface NodePlan {
  /** Such as `data1`: its folder, and the name before its messages. */
  readonly name: string;
  readonly role: NodeRole;
  readonly folder: string;
}

export interface Plan {
  /** Where the masters listen; port 0 takes a free one. */
  readonly masters: readonly Address[];
  /** One node on each: those that were there before, and those that are new. */
  readonly present: readonly NodePlan[];
  readonly fresh: readonly NodePlan[];
  /** Everything is kept below it. */
  readonly folder: string;
  readonly config: Config;
  /** The flags of `kv up` as typed, for processes that get the same settings. */
  readonly typed: Readonly<Record<string, unknown>>;
  readonly io: Io;
}

/** A cluster that is ready. */
export interface Cluster {
  readonly masters: readonly Address[];
  /** Resolves when it has ended without being asked to, with the reason. */
  readonly failed: Promise<Error>;
}

/**
 * Nodes that were there before come up together, for they need each other to serve; new data nodes come one after the
 * other, so that the first gets label 0, the second 68, and so on. Standbys get no labels.
 */
export async function startNodes(plan: Plan, start: (node: NodePlan) => Promise<void>): Promise<void> {
  const together = [...plan.present, ...plan.fresh.filter(({ role }) => role === "standby")].map(start);
  const inTurn = (async () => {
    await Promise.all(together.slice(0, plan.present.length));
    for (const node of plan.fresh.filter(({ role }) => role === "data")) await start(node);
  })();
  await Promise.all([...together, inTurn]);
}

/** What has been started so far, stopped in the opposite order. */
export class Started {
  readonly #stops: (() => Promise<void>)[] = [];
  #stopping = false;

  get stopping(): boolean {
    return this.#stopping;
  }

  /** What comes while all is being stopped is stopped at once. */
  add(stop: () => Promise<void>): void {
    if (this.#stopping) void stop();
    else this.#stops.push(stop);
  }

  async stop(): Promise<void> {
    this.#stopping = true;
    for (let stop = this.#stops.pop(); stop !== undefined; stop = this.#stops.pop()) await stop();
  }
}
