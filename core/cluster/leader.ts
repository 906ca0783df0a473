import { CoordinatorError, type Session } from "../coordination/coordinator.ts";
import { breakLock, lockHolder } from "../coordination/lock.ts";
import { messageOf } from "../platform/errors.ts";
import type { Clock, Log, Random, Transport } from "../platform/ports.ts";
import { ringToMessage } from "../ring/document.ts";
import { type ClusterSettings, type Ring, sameRef } from "../ring/ring.ts";
import { cluster } from "../rpc/methods.ts";
import { type Join, reconcile, type RingChange } from "./reconcile.ts";
import { formatRegistration, type Registered } from "./registration.ts";
import { listPresent } from "./presence.ts";
import type { Paths } from "./paths.ts";
import type { RingKeeper } from "./ring_keeper.ts";
import { readRing, RingWriter, type StoredRing } from "./ring_writer.ts";

/** How long a node may take to answer the master. */
const CALL_TIMEOUT_MS = 1000;

export interface LeaderOptions {
  readonly clock: Clock;
  readonly random: Random;
  readonly transport: Transport;
  readonly log: Log;
  readonly paths: Paths;
  readonly settings: ClusterSettings;
  readonly registerLockMs: number;
  readonly rings: RingKeeper;
  /** Who writes, for the ring: the master's address. */
  readonly name: string;
  /** Asks for one more pass. */
  readonly wake: () => void;
}

/**
 * The active master at work, while it holds the lock: reads the ring and who is registered, decides, and carries the
 * decision out. Holds nothing that a successor would need: all is in the coordinator.
 */
export class Leader {
  readonly #writer: RingWriter;
  /** The first write says that we are in charge, and so ends whatever a predecessor left half-done. */
  #inCharge = false;
  #registerHolder: { readonly path: string; readonly sinceMs: number } | undefined;

  constructor(private readonly options: LeaderOptions, private readonly session: Session, lockNode: string) {
    const { paths, name, random } = options;
    this.#writer = new RingWriter(session, paths.ring, lockNode, name, random);
  }

  get inCharge(): boolean {
    return this.#inCharge;
  }

  /** One pass. Rejects with a {@link CoordinatorError} when the coordinator does not answer or we are deposed. */
  async pass(): Promise<void> {
    const { paths, settings, wake } = this.options;
    let stored = await readRing(this.session, paths.ring, wake) ?? await this.#writer.create(settings);
    if (!this.#inCharge) {
      stored = await this.#write(stored, stored.ring);
      this.#inCharge = true;
    }
    this.options.rings.offer(stored.ring);
    for (;;) {
      const registered = await listPresent(this.session, paths.dataNodes, wake);
      await this.#label(stored.ring, registered);
      const decision = reconcile(stored.ring, registered);
      if (decision.kind === "nothing") break;
      if (decision.kind === "refuse") await this.#refuse(decision.candidate, decision.reason);
      else if (decision.kind === "write") stored = await this.#write(stored, decision.change);
      else {
        const joined = await this.#join(stored, decision.join);
        if (joined === undefined) break;
        stored = joined;
      }
    }
    await this.#breakStaleRegistration();
  }

  async #write(stored: StoredRing, change: RingChange): Promise<StoredRing> {
    const written = await this.#writer.write(stored, change);
    this.options.rings.offer(written.ring);
    this.#offer(written.ring);
    return written;
  }

  /** Tells the nodes at once; they would find out by themselves, later. */
  #offer(ring: Ring): void {
    const { transport, log } = this.options;
    const message = ringToMessage(ring);
    for (const { address } of ring.nodes) {
      transport.call(address, cluster.offerRing, message, CALL_TIMEOUT_MS)
        .catch((error) => log("debug", "a node did not take the ring", { address, error: messageOf(error) }));
    }
  }

  /** Writes the seat into the nodes' registrations, for people and for the nodes themselves. */
  async #label(ring: Ring, registered: readonly Registered[]): Promise<void> {
    for (const { ref, label, path, version } of registered) {
      const seat = ring.nodes.find((node) => sameRef(node.ref, ref));
      if (seat === undefined || seat.label === label) continue;
      await this.#update(path, formatRegistration({ ref, label: seat.label }), version);
    }
  }

  async #refuse({ ref, path, version, address }: Registered, reason: string): Promise<void> {
    this.options.log("warn", "a node is not taken in", { address, reason });
    await this.#update(path, formatRegistration({ ref, refused: reason }), version);
  }

  /** A registration that went or changed meanwhile is looked at again in the next pass. */
  async #update(path: string, data: string, version: number): Promise<void> {
    try {
      await this.session.set(path, data, version);
    } catch (error) {
      if (!(error instanceof CoordinatorError) || error.fault === "connection-loss") throw error;
      this.options.wake();
    }
  }

  /** Undefined: not now, an owner did not answer; to be tried again. */
  async #join(stored: StoredRing, join: Join): Promise<StoredRing | undefined> {
    const { candidate, label, givenBy, change } = join;
    const { log } = this.options;
    const answers = await Promise.allSettled(
      givenBy.map(({ owner, slots }) => this.#freeze(stored.ring, owner, slots)),
    );
    const silent = answers.find((answer) => answer.status === "rejected");
    const written = answers.flatMap((answer) => answer.status === "fulfilled" ? answer.value : []);
    if (silent === undefined && written.length === 0) {
      log("info", "a node joins", { address: candidate.address, label });
      return await this.#write(stored, change);
    }
    if (written.length > 0) await this.#refuse(candidate, refusal(label, written, givenBy));
    else log("warn", "a node waits to join: an owner did not answer", { error: messageOf(silent?.reason) });
    // Those that froze their slots wait for a newer ring.
    const released = await this.#write(stored, stored.ring);
    return written.length > 0 ? released : undefined;
  }

  async #freeze(ring: Ring, owner: Ring["nodes"][number], slots: readonly number[]): Promise<number[]> {
    const request = { owner: owner.ref, ringVersion: ring.version, slots: [...slots] };
    const { written } = await this.options.transport.call(
      owner.address,
      cluster.freeze,
      request,
      CALL_TIMEOUT_MS,
    );
    return written;
  }

  /** A holder of the lock `register` that hangs must not keep others out. */
  async #breakStaleRegistration(): Promise<void> {
    const { clock, log, paths, registerLockMs } = this.options;
    const holder = await lockHolder(this.session, paths.registerLock);
    if (holder === undefined || holder.path !== this.#registerHolder?.path) {
      this.#registerHolder = holder && { path: holder.path, sinceMs: clock.monotonicMs() };
      return;
    }
    if (clock.monotonicMs() - this.#registerHolder.sinceMs < registerLockMs) return;
    log("warn", "breaking the lock register, held for too long", { holder: holder.data });
    await breakLock(this.session, holder);
  }
}

function refusal(label: number, written: readonly number[], givenBy: Join["givenBy"]): string {
  const from = givenBy.filter(({ slots }) => slots.some((slot) => written.includes(slot)))
    .map(({ owner }) => `${owner.address} (label ${owner.label})`);
  const shown = written.slice(0, 5).join(", ") + (written.length > 5 ? ", ..." : "");
  return `with label ${label} it would take over ${written.length} slots of ${
    from.join(" and ")
  } that hold data ` +
    `already (${shown}), and moving data is not possible yet; add data nodes before the first write`;
}
