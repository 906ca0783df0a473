import { CoordinatorError, type Session } from "../coordination/coordinator.ts";
import type { Log } from "../platform/ports.ts";
import { type Ring, sameRef } from "../ring/ring.ts";
import { formatRegistration, type Registered } from "./registration.ts";

/**
 * What the master writes into registrations, for people and for the nodes themselves. The ring decides: these follow it,
 * and a registration that went or changed meanwhile is looked at again in the next pass.
 */
export class Hints {
  constructor(
    private readonly session: Session,
    private readonly log: Log,
    private readonly wake: () => void,
  ) {}

  /** Seats into the registrations of data nodes; those of standbys that have a seat now are removed. */
  async give(ring: Ring, data: readonly Registered[], standbys: readonly Registered[]): Promise<void> {
    for (const { ref, label, path, version } of data) {
      const seat = ring.nodes.find((node) => sameRef(node.ref, ref));
      if (seat === undefined || seat.label === label) continue;
      const text = formatRegistration({ ref, label: seat.label });
      await this.#try(() => this.session.set(path, text, version));
    }
    for (const { ref, path } of standbys) {
      if (ring.nodes.some((node) => sameRef(node.ref, ref))) await this.#try(() => this.session.remove(path));
    }
  }

  async refuse({ ref, path, version, address }: Registered, reason: string): Promise<void> {
    this.log("warn", "a node is not taken in", { address, reason });
    await this.#try(() => this.session.set(path, formatRegistration({ ref, refused: reason }), version));
  }

  async #try(action: () => Promise<unknown>): Promise<void> {
    try {
      await action();
    } catch (error) {
      if (!(error instanceof CoordinatorError) || error.fault === "connection-loss") throw error;
      this.wake();
    }
  }
}
