import type { CopiesReply, CopiesRequest, DrainReply, DrainRequest } from "../../proto/gen/kv/v1/admin.ts";
import type {
  GiveUpReply,
  GiveUpRequest,
  InspectReply,
  InspectRequest,
} from "../../proto/gen/kv/v1/cluster.ts";
import type { StatusReply } from "../../proto/gen/kv/v1/kv.ts";
import type { Ring as RingMessage } from "../../proto/gen/kv/v1/ring.ts";
import { KvError } from "../platform/errors.ts";
import type { Address, Cancel, Listener, Services } from "../platform/ports.ts";
import { ringFromMessage } from "../ring/document.ts";
import { isBlank } from "../ring/history.ts";
import { withoutMember } from "../ring/members.ts";
import { type NodeRef, type Ring, sameRef } from "../ring/ring.ts";
import { checkSameSettings } from "../ring/settings.ts";
import { bindHealth, HealthState } from "../rpc/health.ts";
import { admin, cluster } from "../rpc/methods.ts";
import { Engine } from "../storage/engine.ts";
import { Copies, type ReplicaView } from "./copies.ts";
import { copyStates, inspect, ownSlots } from "./inspection.ts";
import { bindKv } from "./kv_service.ts";
import { holdings, Leaving, UNLISTED } from "./leaving.ts";
import { Membership } from "./membership.ts";
import { Operations } from "./operations.ts";
import { pathsBelow } from "./paths.ts";
import { RingKeeper } from "./ring_keeper.ts";
import { type NodeRole, type RoleOptions, settingsOf, VERSION } from "./role.ts";
import { SavedRing } from "./saved_ring.ts";
import { hasShare, roleIn } from "./seat.ts";
import { bindRouting } from "./routing_service.ts";
import { SessionKeeper } from "./session_keeper.ts";

export interface DataNodeOptions extends RoleOptions {
  /** The data directory. */
  readonly folder: string;
  /** What to be as long as the ring does not say otherwise; default: a data node. */
  readonly role?: NodeRole;
}

/** So long a new data node waits for its share of the slots before it says that it is ready. */
const SHARE_WAIT_MS = 5000;
/** So long a node that has left tries to be rid of its copies. */
const LEFTOVERS_WAIT_MS = 3000;

/**
 * A node: owns slots and serves their keys, and copies slots of others; a standby does the latter alone, until the ring
 * gives it a seat. Needs neither master nor coordinator to go on serving.
 */
export class DataNode {
  /** Resolves when the node has ended: with the reason if it was not asked to. */
  readonly stopped: Promise<Error | undefined>;

  readonly #options: DataNodeOptions;
  readonly #rings = new RingKeeper();
  readonly #health = new HealthState();
  readonly #stopped = Promise.withResolvers<Error | undefined>();
  readonly #ready = Promise.withResolvers<void>();
  readonly #startedMs: number;
  readonly #readyListeners = new Set<(role: NodeRole) => void>();
  /** What the ring lists this process as, and since when. */
  #listed: { readonly role: NodeRole; readonly sinceMs: number } | undefined;
  #readyAs: NodeRole | undefined;
  #cancelShareWait: Cancel = () => {};
  #stopping: Promise<void> | undefined;
  #draining: Promise<void> | undefined;
  /** There after {@link start}, unless that failed early. */
  #engine!: Engine;
  #copies!: Copies;
  readonly #saved: SavedRing;
  #listener: Listener | undefined;
  #membership: Membership | undefined;
  #keeper: SessionKeeper | undefined;

  constructor(options: DataNodeOptions) {
    this.#options = options;
    const { clock, disk, log } = options.world;
    this.#startedMs = clock.monotonicMs();
    this.#saved = new SavedRing(clock, disk, options.folder, log);
    this.stopped = this.#stopped.promise;
    this.#ready.promise.catch(() => {});
  }

  /** With the port that was taken; only after {@link start}. */
  get address(): Address {
    return this.#listener!.address;
  }

  get self(): NodeRef {
    return { id: this.#engine.nodeId, incarnation: this.#engine.incarnation };
  }

  /** What the ring makes of it. */
  get role(): NodeRole {
    return this.#listed?.role ?? this.#options.role ?? "data";
  }

  /** Called each time it has become ready as another role than before, first as the one it starts with. */
  onReady(listener: (role: NodeRole) => void): Cancel {
    this.#readyListeners.add(listener);
    return () => this.#readyListeners.delete(listener);
  }

  /** For checkers: the slot as it is now; undefined as long as the storage is not open. */
  replica(slot: number): ReplicaView | undefined {
    return this.#copies?.view(slot);
  }

  /** Resolves when the ring lists this process and it serves its share; rejects when it cannot or may not. */
  async start(): Promise<void> {
    const { world, config, folder, address, coordinator } = this.#options;
    const { clock, random, disk, log, transport } = world;
    const settings = settingsOf(config);
    this.#engine = await Engine.open({
      clock,
      random,
      disk,
      log,
      folder,
      clusterId: undefined,
      settings,
      limits: config,
    });
    try {
      if (this.#stopping !== undefined) throw stoppedEarly();
      this.#copies = new Copies(
        this.#engine,
        this.self,
        settings.msn,
        this.#rings,
        config,
        world,
        () => this.#lookWhetherReady(),
      );
      this.#engine.onFailure((error) => this.#fail(error));
      this.#rings.onRing((ring) => this.#adopt(ring));
      const saved = this.#saved.load(this.#engine.clusterId);
      if (saved !== undefined) this.#rings.offer(saved);
      this.#listener = await transport.listen(address, (services) => this.#bind(services));
    } catch (error) {
      await this.#engine.close();
      throw error;
    }
    this.#membership = new Membership({
      clock,
      random,
      log,
      paths: pathsBelow(config.root),
      address: this.address,
      self: this.self,
      role: this.#options.role ?? "data",
      rings: this.#rings,
      refused: (reason) =>
        this.#fail(new KvError("refused", `the master does not take this node in: ${reason}`)),
      unreadable: (error) => this.#fail(error),
    });
    this.#keeper = new SessionKeeper(coordinator, clock, random, log, this.#membership);
    this.#keeper.start();
    await this.#ready.promise;
  }

  /** Stops serving, makes a checkpoint and lets go of the folder. The slots stay ours and wait for our return. */
  stop(): Promise<void> {
    return this.#stop(undefined);
  }

  /** Hands its slots over and has its copies replaced, as far as there are others for that, then stops. */
  async leave(): Promise<void> {
    const reason = await this.#giveAllAway();
    if (reason !== undefined) {
      this.#options.world.log("warn", "the node stops and keeps its slots", { reason });
    }
    await this.stop();
  }

  /** The same at an operator's wish, but for that it goes on serving when it has to keep what it has. */
  #drain({ node }: DrainRequest): DrainReply {
    this.#checkMeant(node);
    const { ring } = this.#rings;
    if (ring === undefined) throw new KvError("refused", "this node knows no ring yet");
    const left = holdings(ring, this.self).unlisted ? UNLISTED : withoutMember(ring, this.self);
    if (typeof left === "string") throw new KvError("refused", left);
    this.#draining ??= this.#giveAllAway().then((reason) => {
      if (reason === undefined) return this.stop();
      this.#options.world.log("warn", "the node is not drained and goes on", { reason });
      this.#draining = undefined;
      this.#membership?.comeBack();
    });
    return {};
  }

  /** Resolves when nobody needs this node any more, or with the reason why it has to keep what it has. */
  async #giveAllAway(): Promise<string | undefined> {
    const { clock, transport, log } = this.#options.world;
    const membership = this.#membership;
    if (membership === undefined || this.#stopping !== undefined) return undefined;
    const leaving = new Leaving({ clock, transport, log, self: this.self, rings: this.#rings, membership });
    const gone = leaving.run().then(async (reason) => {
      if (reason === undefined) await this.#copies.leftovers.settle(LEFTOVERS_WAIT_MS);
      return reason;
    });
    return await Promise.race([gone, this.stopped.then(() => undefined)]);
  }

  #stop(error: Error | undefined): Promise<void> {
    this.#stopping ??= this.#shutDown().then(
      () => this.#stopped.resolve(error),
      (trouble) => this.#stopped.resolve(error ?? trouble),
    );
    return this.#stopping;
  }

  async #shutDown(): Promise<void> {
    this.#health.set(false);
    this.#cancelShareWait();
    this.#ready.reject(stoppedEarly());
    await this.#membership?.stop();
    this.#copies?.stop();
    await this.#keeper?.stop();
    await this.#listener?.close();
    await this.#saved.idle();
    await this.#engine?.close();
  }

  #fail(error: Error): void {
    this.#options.world.log("error", "the node stops", { error: error.message });
    this.#ready.reject(error);
    this.#stop(error);
  }

  #bind(services: Services): void {
    const { slots } = this.#copies;
    const operations = new Operations(this.#engine, slots, this.#options.config);
    bindKv(services, this.#engine, slots, operations, this.#options.world.clock);
    this.#copies.bind(services);
    bindRouting(services, this.#rings, { ping: () => this.#ping(), status: () => this.#status() });
    bindHealth(services, this.#health);
    services.unary(cluster.inspect, (request) => this.#inspect(request));
    services.unary(cluster.giveUp, (request) => this.#giveUp(request));
    services.unary(admin.drain, (request) => this.#drain(request));
    services.unary(admin.copies, (request) => this.#copyStates(request));
    services.unary(cluster.offerRing, (message) => this.#offer(message));
  }

  #adopt(ring: Ring): void {
    if (this.#stopping !== undefined) return;
    const { config } = this.#options;
    try {
      checkSameSettings(settingsOf(config), ring.settings);
      const { clusterId } = this.#engine;
      // A ring in which no data node has ever been may yet give way to the one of a cluster whose coordinator has lost it.
      if (clusterId !== undefined || !isBlank(ring)) this.#engine.adoptCluster(ring.clusterId, ring.settings);
    } catch (error) {
      return this.#fail(error as Error);
    }
    this.#saved.save(ring);
    this.#copies.adopt(ring);
    this.#lookWhetherReady();
  }

  #lookWhetherReady(): void {
    const { ring } = this.#rings;
    if (ring === undefined || this.#stopping !== undefined) return;
    this.#noteRole(ring);
    const { role, sinceMs } = this.#listed ?? {};
    if (role === undefined || role === this.#readyAs) return;
    const waitedMs = this.#options.world.clock.monotonicMs() - sinceMs!;
    if (role === "data" && waitedMs < SHARE_WAIT_MS && !this.#servesShare(ring)) return;
    this.#readyAs = role;
    this.#health.set(true);
    for (const listener of [...this.#readyListeners]) listener(role);
    this.#ready.resolve();
  }

  #noteRole(ring: Ring): void {
    const role = roleIn(ring, this.self);
    if (role === this.#listed?.role) return;
    const { clock } = this.#options.world;
    this.#listed = role && { role, sinceMs: clock.monotonicMs() };
    this.#cancelShareWait();
    this.#cancelShareWait = clock.after(SHARE_WAIT_MS, () => this.#lookWhetherReady());
  }

  #servesShare(ring: Ring): boolean {
    const isStarting = (slot: number) => this.#copies.slots.owner(slot)?.state === "starting";
    return hasShare(ring, this.self) && !this.#copies.slots.owned().some(isStarting);
  }

  #checkMeant(node: NodeRef | undefined): void {
    if (sameRef(node, this.self)) return;
    const meant = `node ${node?.id}, incarnation ${node?.incarnation}`;
    throw new KvError("refused", `meant for ${meant}, not for this process`);
  }

  #inspect({ node }: InspectRequest): InspectReply {
    this.#checkMeant(node);
    return inspect(this.#engine, this.#copies.slots, this.#rings.ring);
  }

  /** An operator is about to force another owner on the slots: this process answers nothing for them any more. */
  #giveUp({ node, slots, epochs }: GiveUpRequest): GiveUpReply {
    this.#checkMeant(node);
    for (const [i, slot] of slots.entries()) this.#copies.replicas.accept(slot, epochs[i]!);
    return {};
  }

  #copyStates({ node, slots }: CopiesRequest): CopiesReply {
    this.#checkMeant(node);
    return { copies: copyStates(this.#engine, this.#copies.slots, slots) };
  }

  /** Only of our cluster; another one's master may have found our port. */
  #offer(message: RingMessage): { ringVersion: number } {
    const ring = ringFromMessage(message);
    if (ring.clusterId === this.#rings.ring?.clusterId) this.#rings.offer(ring);
    return { ringVersion: this.#rings.version };
  }

  #ping() {
    return {
      role: this.role,
      active: this.#health.serving,
      ringVersion: this.#rings.version,
      node: this.self,
    };
  }

  #status(): StatusReply {
    const { config, world: { clock } } = this.#options;
    return {
      role: this.role,
      address: this.address,
      node: this.self,
      active: this.#health.serving,
      ringVersion: this.#rings.version,
      coordinator: this.#keeper?.state ?? "suspended",
      slots: ownSlots(this.#engine, this.#copies.slots, this.#rings.ring),
      uptimeMs: clock.monotonicMs() - this.#startedMs,
      version: VERSION,
      writer: this.#rings.ring?.writer ?? "",
      followers: this.#copies.followers(),
      minInSync: config.minInSync,
      transferBytesPerSecond: config.transferBytesPerSecond,
      masters: [],
      mismatches: this.#copies.mismatches(),
      halted: "",
    };
  }
}

function stoppedEarly(): KvError {
  return new KvError("unavailable", "the node was stopped before it was ready");
}
