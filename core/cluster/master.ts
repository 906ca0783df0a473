import type { StatusReply } from "../../proto/gen/kv/v1/kv.ts";
import type { Ring as RingMessage } from "../../proto/gen/kv/v1/ring.ts";
import type { Session } from "../coordination/coordinator.ts";
import { LockRequest } from "../coordination/lock.ts";
import { KvError } from "../platform/errors.ts";
import type { Address, Cancel, Listener, Services } from "../platform/ports.ts";
import { checkSameSettings } from "../ring/settings.ts";
import { ringToMessage } from "../ring/document.ts";
import { bindHealth, HealthState } from "../rpc/health.ts";
import { admin, cluster } from "../rpc/methods.ts";
import { Leader } from "./leader.ts";
import { Loop } from "./loop.ts";
import { ensurePaths, type Paths, pathsBelow } from "./paths.ts";
import { ensurePresence } from "./presence.ts";
import { notInCharge, type Wish } from "./requests.ts";
import { RingKeeper } from "./ring_keeper.ts";
import { readRing } from "./ring_writer.ts";
import { type RoleOptions, settingsOf, VERSION } from "./role.ts";
import { bindRouting } from "./routing_service.ts";
import { SessionKeeper, type SessionUser } from "./session_keeper.ts";

const LOOK_PERIOD_MS = 1000;
const RETRY_MS = 200;

/**
 * A master: waits for the lock `master`, and while it holds it is the active one, the only writer of the ring. Serves
 * routing in both states, and also without coordinator, from the newest ring that it has seen.
 */
export class Master implements SessionUser {
  /** Resolves when the master has ended: with the reason if it was not asked to. */
  readonly stopped: Promise<Error | undefined>;

  readonly #options: RoleOptions;
  readonly #paths: Paths;
  readonly #rings = new RingKeeper();
  readonly #health = new HealthState();
  readonly #loop: Loop;
  readonly #keeper: SessionKeeper;
  readonly #stopped = Promise.withResolvers<Error | undefined>();
  readonly #activeListeners = new Set<() => void>();
  /** Identifies this process; a master keeps nothing on disk. */
  readonly #id: string;
  readonly #startedMs: number;
  #listener!: Listener;
  #session: Session | undefined;
  #lock: LockRequest | undefined;
  /** All that are registered, as last read. */
  #masters: readonly Address[] = [];
  /** There while the lock is held. */
  #leader: Leader | undefined;
  #stopping: Promise<void> | undefined;

  constructor(options: RoleOptions) {
    const { clock, random, log } = options.world;
    this.#options = options;
    this.#paths = pathsBelow(options.config.root);
    this.#id = random.uuid();
    this.#startedMs = clock.monotonicMs();
    this.#loop = new Loop(
      "master",
      clock,
      log,
      { periodMs: LOOK_PERIOD_MS, retryMs: RETRY_MS },
      () => this.#pass(),
    );
    this.#keeper = new SessionKeeper(options.coordinator, clock, random, log, this);
    this.stopped = this.#stopped.promise;
  }

  /** With the port that was taken; only after {@link start}. */
  get address(): Address {
    return this.#listener.address;
  }

  /** Whether this master holds the lock and has written the ring since. */
  get active(): boolean {
    return this.#leader?.inCharge ?? false;
  }

  /** Called each time this master becomes the active one. */
  onActive(listener: () => void): Cancel {
    this.#activeListeners.add(listener);
    return () => this.#activeListeners.delete(listener);
  }

  /** Resolves when it listens; whether it is active shows later. Rejects when the address is taken. */
  async start(): Promise<void> {
    const { world, address } = this.#options;
    this.#listener = await world.transport.listen(address, (services) => this.#bind(services));
    this.#health.set(true);
    this.#keeper.start();
  }

  stop(): Promise<void> {
    return this.#stop(undefined);
  }

  opened(session: Session): void {
    this.#session = session;
    this.#loop.wake();
  }

  resumed(): void {
    this.#loop.wake();
  }

  ended(): void {
    this.#session = undefined;
    this.#lock = undefined;
    this.#deposed();
  }

  #stop(error: Error | undefined): Promise<void> {
    this.#stopping ??= this.#shutDown().then(() => this.#stopped.resolve(error), this.#stopped.resolve);
    return this.#stopping;
  }

  async #shutDown(): Promise<void> {
    this.#health.set(false);
    this.#deposed();
    await this.#loop.stop();
    await this.#keeper.stop();
    await this.#listener.close();
  }

  #fail(error: Error): void {
    this.#options.world.log("error", "the master stops", { error: error.message });
    this.#stop(error);
  }

  #bind(services: Services): void {
    bindRouting(services, this.#rings, { ping: () => this.#ping(), status: () => this.#status() });
    bindHealth(services, this.#health);
    services.unary(cluster.propose, (request) => this.#wish({ kind: "propose", request }));
    services.unary(cluster.leave, ({ node }) => {
      if (node === undefined) throw new KvError("invalid", "the request names no node");
      return this.#wish({ kind: "leave", ref: node });
    });
    services.unary(admin.rebalance, ({ undo }) => this.#wish({ kind: "rebalance", undo }));
    services.unary(admin.forceOwner, (request) => this.#wish({ kind: "force", request }));
    services.unary(admin.acceptRing, ({ from }) => this.#wish({ kind: "accept", from }));
    services.unary(cluster.suspect, (request) => {
      if (!this.active) throw notInCharge();
      this.#leader?.suspect(request);
      return {};
    });
  }

  async #wish(wish: Wish): Promise<RingMessage> {
    if (this.#leader === undefined) throw notInCharge();
    return ringToMessage(await this.#leader.ask(wish));
  }

  async #pass(): Promise<void> {
    try {
      await this.#work();
    } catch (error) {
      this.#leader?.passFailed(error);
      throw error;
    }
  }

  async #work(): Promise<void> {
    const session = this.#session;
    if (session === undefined) return;
    await this.#leader?.serve();
    await ensurePaths(session, this.#paths);
    const own = { ref: { id: this.#id, incarnation: 1 } };
    await ensurePresence(session, this.#paths.masters, this.address, own, this.#loop.wake);
    this.#masters = await session.children(this.#paths.masters);
    if (!await this.#readRing(session)) return;
    this.#lock ??= this.#enterLock(session);
    if (this.#leader === undefined) return;
    const wasActive = this.active;
    await this.#leader.pass();
    if (this.active && !wasActive) {
      for (const listener of [...this.#activeListeners]) listener();
    }
    if (this.#leader?.cutOff) await this.#resign(session);
  }

  /** Another master may reach the nodes that this one does not. */
  async #resign(session: Session): Promise<void> {
    const others = await session.children(this.#paths.masterLock);
    const lock = this.#lock;
    if (others.length < 2 || lock === undefined) return;
    this.#options.world.log("warn", "most nodes cannot be reached from here: another master is to take over");
    this.#lock = undefined;
    this.#deposed();
    await lock.release();
    this.#loop.wake();
  }

  #deposed(): void {
    this.#leader?.stop();
    this.#leader = undefined;
  }

  /** False when the ring is not for this master, which then ends. */
  async #readRing(session: Session): Promise<boolean> {
    try {
      const stored = await readRing(session, this.#paths.ring, this.#loop.wake);
      if (stored === undefined) return true;
      checkSameSettings(settingsOf(this.#options.config), stored.ring.settings);
      this.#rings.offer(stored.ring);
      return true;
    } catch (error) {
      if (!(error instanceof KvError)) throw error;
      this.#fail(error);
      return false;
    }
  }

  #enterLock(session: Session): LockRequest {
    const { clock, random, log } = this.#options.world;
    const lock = LockRequest.enter(session, { clock, random, log }, this.#paths.masterLock, this.address);
    lock.acquired.then(() => this.#lead(session, lock), () => {});
    lock.lost.then((why) => {
      if (lock !== this.#lock || this.#stopping !== undefined) return;
      if (this.active) log("warn", "no longer the active master", { why });
      this.#lock = undefined;
      this.#deposed();
      this.#loop.wake();
    });
    return lock;
  }

  #lead(session: Session, lock: LockRequest): void {
    if (lock !== this.#lock || lock.path === undefined) return;
    const { world, config } = this.#options;
    this.#leader = new Leader(
      {
        ...world,
        paths: this.#paths,
        settings: settingsOf(config),
        promiseMs: config.promiseMs,
        replicas: config.replicas,
        registerLockMs: config.registerLockMs,
        rings: this.#rings,
        name: this.address,
        wake: this.#loop.wake,
      },
      session,
      lock.path,
    );
    this.#loop.wake();
  }

  #ping() {
    return { role: "master", active: this.active, ringVersion: this.#rings.version, node: undefined };
  }

  #status(): StatusReply {
    return {
      role: "master",
      address: this.address,
      node: undefined,
      active: this.active,
      ringVersion: this.#rings.version,
      coordinator: this.#keeper.state,
      slots: [],
      uptimeMs: this.#options.world.clock.monotonicMs() - this.#startedMs,
      version: VERSION,
      writer: this.#rings.ring?.writer ?? "",
      followers: [],
      minInSync: 0,
      transferBytesPerSecond: 0,
      masters: [...this.#masters].sort(),
      mismatches: [],
      halted: this.#leader?.halted ?? "",
    };
  }
}
