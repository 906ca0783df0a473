import type { Session } from "../coordination/coordinator.ts";
import { LockRequest } from "../coordination/lock.ts";
import type { Address, Clock, Log, Random } from "../platform/ports.ts";
import type { NodeRef } from "../ring/ring.ts";
import { Loop } from "./loop.ts";
import { ensurePaths, type Paths } from "./paths.ts";
import { ensurePresence, removePresence } from "./presence.ts";
import type { RingKeeper } from "./ring_keeper.ts";
import { readRing } from "./ring_writer.ts";
import type { NodeRole } from "./role.ts";
import type { SessionUser } from "./session_keeper.ts";

/** How often a node looks by itself at its registration and the ring; watches are hints. */
const LOOK_PERIOD_MS = 2000;
const RETRY_MS = 200;

export interface MembershipOptions {
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly paths: Paths;
  readonly address: Address;
  readonly self: NodeRef;
  /** What it wants to be as long as the ring gives it no seat. */
  readonly role: NodeRole;
  readonly rings: RingKeeper;
  /** The master does not take the node in. */
  readonly refused: (reason: string) => void;
  /** The ring in the coordinator cannot be read by this program. */
  readonly unreadable: (error: Error) => void;
}

/**
 * A node's part in the coordinator: its ephemeral node, and the ring that it reads there. A data node without a seat
 * registers under the lock `register`, which it holds until the master has given it a label or refused it. A standby
 * that the ring gives a seat registers as a data node from then on.
 */
export class Membership implements SessionUser {
  readonly #options: MembershipOptions;
  readonly #loop: Loop;
  #session: Session | undefined;
  #registerLock: LockRequest | undefined;
  #withdrawing = false;
  #withdrawn = Promise.withResolvers<void>();

  constructor(options: MembershipOptions) {
    this.#options = options;
    const timing = { periodMs: LOOK_PERIOD_MS, retryMs: RETRY_MS };
    this.#loop = new Loop("membership", options.clock, options.log, timing, () => this.#pass());
  }

  opened(session: Session): void {
    this.#session = session;
    this.#registerLock = undefined;
    this.#loop.wake();
  }

  resumed(): void {
    this.#loop.wake();
  }

  ended(): void {
    this.#session = undefined;
    this.#registerLock = undefined;
  }

  /** Takes the registration back and makes none any more. Resolves when it is gone. */
  withdraw(): Promise<void> {
    this.#withdrawing = true;
    this.#loop.wake();
    return this.#withdrawn.promise;
  }

  /** Registers again after all. */
  comeBack(): void {
    this.#withdrawing = false;
    this.#withdrawn = Promise.withResolvers<void>();
    this.#loop.wake();
  }

  /** To be called before the session is closed. */
  async stop(): Promise<void> {
    await this.#loop.stop();
    await this.#registerLock?.release();
  }

  async #pass(): Promise<void> {
    const session = this.#session;
    if (session === undefined) return;
    const { paths } = this.#options;
    await ensurePaths(session, paths);
    await this.#readRing(session);
    if (this.#withdrawing) await this.#removeAll(session);
    else await this.#register(session);
  }

  async #register(session: Session): Promise<void> {
    const { paths, rings, role, address, self, refused } = this.#options;
    const seated = rings.ring?.nodes.some((node) => node.ref.id === self.id) ?? false;
    const asData = seated || role === "data";
    if (asData && !seated && !this.#mayRegister(session)) return;
    const [folder, other] = asData ? [paths.dataNodes, paths.standbys] : [paths.standbys, paths.dataNodes];
    const own = await ensurePresence(session, folder, address, { ref: self }, this.#loop.wake);
    await removePresence(session, other, address, self.id);
    if (own.refused !== undefined) refused(own.refused);
    if (own.label !== undefined || own.refused !== undefined) await this.#releaseLock();
  }

  async #removeAll(session: Session): Promise<void> {
    const { paths, address, self } = this.#options;
    for (const folder of [paths.dataNodes, paths.standbys]) {
      await removePresence(session, folder, address, self.id);
    }
    await this.#releaseLock();
    this.#withdrawn.resolve();
  }

  async #releaseLock(): Promise<void> {
    const lock = this.#registerLock;
    this.#registerLock = undefined;
    await lock?.release();
  }

  async #readRing(session: Session): Promise<void> {
    const { paths, rings, unreadable } = this.#options;
    try {
      const stored = await readRing(session, paths.ring, this.#loop.wake);
      if (stored !== undefined) rings.offer(stored.ring);
    } catch (error) {
      if (error instanceof Error && error.name === "KvError") unreadable(error);
      throw error;
    }
  }

  /** Whether the lock `register` is ours, or was and has been broken because the master took too long. */
  #mayRegister(session: Session): boolean {
    const { clock, random, log, paths, address } = this.#options;
    if (this.#registerLock === undefined) {
      const world = { clock, random, log };
      this.#registerLock = LockRequest.enter(session, world, paths.registerLock, address);
      this.#registerLock.acquired.then(this.#loop.wake, this.#loop.wake);
    }
    return this.#registerLock.state === "held" || this.#registerLock.state === "lost";
  }
}
