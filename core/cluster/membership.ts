import type { Session } from "../coordination/coordinator.ts";
import { LockRequest } from "../coordination/lock.ts";
import type { Address, Clock, Log, Random } from "../platform/ports.ts";
import type { NodeRef } from "../ring/ring.ts";
import { Loop } from "./loop.ts";
import { ensurePaths, type Paths } from "./paths.ts";
import { ensurePresence } from "./presence.ts";
import type { RingKeeper } from "./ring_keeper.ts";
import { readRing } from "./ring_writer.ts";
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
  readonly rings: RingKeeper;
  /** The master does not take the node in. */
  readonly refused: (reason: string) => void;
  /** The ring in the coordinator cannot be read by this program. */
  readonly unreadable: (error: Error) => void;
}

/**
 * A data node's part in the coordinator: its ephemeral node, and the ring that it reads there. A node without a seat
 * registers under the lock `register`, which it holds until the master has given it a label or refused it.
 */
export class Membership implements SessionUser {
  readonly #options: MembershipOptions;
  readonly #loop: Loop;
  #session: Session | undefined;
  #registerLock: LockRequest | undefined;

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

  /** To be called before the session is closed. */
  async stop(): Promise<void> {
    await this.#loop.stop();
    await this.#registerLock?.release();
  }

  async #pass(): Promise<void> {
    const session = this.#session;
    if (session === undefined) return;
    const { paths, rings, address, self } = this.#options;
    await ensurePaths(session, paths);
    await this.#readRing(session);
    const seated = rings.ring?.nodes.some((node) => node.ref.id === self.id) ?? false;
    if (!seated && !this.#mayRegister(session)) return;
    const own = await ensurePresence(session, paths.dataNodes, address, { ref: self }, this.#loop.wake);
    if (own.refused !== undefined) this.#options.refused(own.refused);
    if (own.label === undefined && own.refused === undefined) return;
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
