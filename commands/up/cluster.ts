/** What `kv up` runs, whether in one process or in many. */

import type { Config } from "../../core/platform/config.ts";
import type { Address } from "../../core/platform/ports.ts";
import type { Io } from "../framework/io.ts";

export interface Plan {
  /** Where the masters listen; port 0 takes a free one. */
  readonly masters: readonly Address[];
  /** One data node on each. */
  readonly dataFolders: readonly string[];
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
