import type { ForceOwnerRequest } from "../../proto/gen/kv/v1/admin.ts";
import type { SuspectRequest } from "../../proto/gen/kv/v1/cluster.ts";
import type { Session } from "../coordination/coordinator.ts";
import { breakLock, lockHolder } from "../coordination/lock.ts";
import { KvError, messageOf } from "../platform/errors.ts";
import type { Clock, Log, Random, Transport } from "../platform/ports.ts";
import { rebalanced } from "../ring/assignment.ts";
import { ringToMessage } from "../ring/document.ts";
import { contradiction, isBlank } from "../ring/history.ts";
import { withoutMember } from "../ring/members.ts";
import type { ClusterSettings, NodeRef, Ring } from "../ring/ring.ts";
import { checkSameSettings } from "../ring/settings.ts";
import { cluster } from "../rpc/methods.ts";
import { ringToAccept } from "./accepting.ts";
import { applyProposals, toAskForProposals } from "./decide/proposals.ts";
import type { RingChange, View } from "./decide/view.ts";
import { force } from "./forcing.ts";
import { Hints } from "./hints.ts";
import { NodeWatch } from "./node_watch.ts";
import type { Paths } from "./paths.ts";
import { listPresent } from "./presence.ts";
import { reconcile, toAsk } from "./reconcile.ts";
import type { Registered } from "./registration.ts";
import { notInCharge, Requests, type Waiting, type Wish } from "./requests.ts";
import type { RingKeeper } from "./ring_keeper.ts";
import { readRing, RingWriter, type StoredRing } from "./ring_writer.ts";

/** How long a node may take to take a ring. */
const CALL_TIMEOUT_MS = 1000;

export interface LeaderOptions {
  readonly clock: Clock;
  readonly random: Random;
  readonly transport: Transport;
  readonly log: Log;
  readonly paths: Paths;
  readonly settings: ClusterSettings;
  /** For a new cluster. */
  readonly promiseMs: number;
  readonly replicas: number;
  readonly registerLockMs: number;
  readonly rings: RingKeeper;
  /** Who writes, for the ring: the master's address. */
  readonly name: string;
  /** Asks for one more pass. */
  readonly wake: () => void;
}

/**
 * The active master at work, while it holds the lock: reads the ring and who is registered, watches the nodes, decides,
 * and carries the decision out. Holds nothing that a successor would need: all is in the coordinator.
 */
export class Leader {
  readonly #writer: RingWriter;
  readonly #watch: NodeWatch;
  readonly #hints: Hints;
  readonly #requests: Requests;
  /** As we last wrote or read it: nobody else may write it, and the compare-and-set tells if somebody has. */
  #stored: StoredRing | undefined;
  #data: readonly Registered[] = [];
  #standbys: readonly Registered[] = [];
  /** The first write says that we are in charge, and so ends whatever a predecessor left half-done. */
  #inCharge = false;
  #halted: string | undefined;
  #registerHolder: { readonly path: string; readonly sinceMs: number } | undefined;

  constructor(private readonly options: LeaderOptions, private readonly session: Session, lockNode: string) {
    const { paths, name, random, clock, transport, wake, log } = options;
    this.#writer = new RingWriter(session, paths.ring, lockNode, name, random);
    this.#watch = new NodeWatch({ clock, transport, log, changed: wake });
    this.#hints = new Hints(session, log, wake);
    this.#requests = new Requests(wake);
  }

  get inCharge(): boolean {
    return this.#inCharge && this.#halted === undefined;
  }

  /** Why nothing is written; undefined: nothing speaks against it. */
  get halted(): string | undefined {
    return this.#halted;
  }

  /** Whether another master would do better, which reaches the nodes. */
  get cutOff(): boolean {
    return this.#watch.cutOff;
  }

  /** Deposed: decides nothing any more. */
  stop(): void {
    this.#inCharge = false;
    this.#watch.stop();
    this.#requests.close();
  }

  /** Resolves with the ring once it has been decided on. */
  ask(wish: Wish): Promise<Ring> {
    const may = wish.kind === "accept" ? this.#inCharge || this.#halted !== undefined : this.inCharge;
    return may ? this.#requests.add(wish) : Promise.reject(notInCharge());
  }

  /** Who waits is told so, and asks again: it may take long until the coordinator is back. */
  passFailed(error: unknown): void {
    this.#requests.reject(notWritten(error));
  }

  suspect({ suspect, wasAlive }: SuspectRequest): void {
    if (suspect !== undefined) void this.#watch.suspect(suspect, wasAlive);
  }

  /** One pass. Rejects with a {@link CoordinatorError} when the coordinator does not answer or we are deposed. */
  async pass(): Promise<void> {
    const { paths, settings, promiseMs, replicas, wake } = this.options;
    this.#stored = await readRing(this.session, paths.ring, wake) ??
      await this.#writer.create(settings, { promiseMs, replicas });
    try {
      if (!this.#inCharge) await this.#takeCharge();
      else if (this.#halted === undefined) await this.#checkHistory();
      if (this.#halted !== undefined) {
        await this.#follow();
        return await this.serve();
      }
      this.options.rings.offer(this.#stored.ring);
      do await this.serve(); while (await this.#step());
    } catch (error) {
      if (this.#halted === undefined) throw error;
    }
    await this.#breakStaleRegistration();
  }

  /** Not before all who answer have been heard: they may know that the coordinator went back in time. */
  async #takeCharge(): Promise<void> {
    if (this.#halted !== undefined) return;
    await this.#follow();
    await this.#watch.askAll();
    const { ring } = this.#stored!;
    await this.#write(ring);
    this.#inCharge = true;
    const { promiseMs, log } = this.options;
    if (ring.promiseMs === promiseMs) return;
    log("warn", "promiseMs can never change: the cluster's counts, not the configuration's", {
      ...{ cluster: ring.promiseMs, configuration: promiseMs },
    });
  }

  /** Decides on what nodes have asked for since, without a look at anything else: owners wait for it. */
  async serve(): Promise<void> {
    if (this.#stored === undefined) return;
    const waiting = this.#requests.take();
    if (waiting.length === 0) return;
    if (this.#halted !== undefined) return await this.#serveHalted(waiting);
    try {
      await this.#serve(this.#stored.ring, waiting);
    } catch (error) {
      this.#stored = undefined;
      for (const { reject } of waiting) reject(notWritten(error));
      throw error;
    }
  }

  async #serve(ring: Ring, waiting: readonly Waiting[]): Promise<void> {
    const proposed = waiting.flatMap(({ wish }) => wish.kind === "propose" ? [wish.request] : []);
    const answers = await this.#watch.ask(toAskForProposals(proposed).map((ref) => ({ ref })));
    const registered = [...this.#data, ...this.#standbys];
    const { change, refused } = applyProposals({ ring, registered, answers }, proposed);
    if (refused.length > 0) this.options.log("debug", "proposals refused", { reasons: refused.join("; ") });
    let next: Ring = change === undefined ? ring : { ...ring, ...change };
    for (const { wish, reject } of waiting) {
      if (wish.kind === "accept") {
        reject(
          new KvError(
            "refused",
            "the coordinator's ring is the one that the nodes know: nothing is to be accepted",
          ),
        );
      }
      if (wish.kind !== "leave" && wish.kind !== "rebalance") continue;
      const wished = wish.kind === "leave" ? withoutMember(next, wish.ref) : rebalanced(next, wish.undo);
      if (typeof wished === "string") reject(new KvError("refused", wished));
      else next = wished;
    }
    if (next !== ring) await this.#write(next);
    for (const { wish, reject } of waiting) {
      if (wish.kind === "force") await this.#force(wish.request, reject);
    }
    for (const { resolve } of waiting) resolve(this.#stored!.ring);
  }

  /** An operator says which ring is to count; nothing else is done. */
  async #serveHalted(waiting: readonly Waiting[]): Promise<void> {
    for (const { wish, resolve, reject } of waiting) {
      try {
        if (wish.kind !== "accept") {
          throw new KvError("unavailable", `this master writes nothing: ${this.#halted}`);
        }
        resolve(await this.#accept(wish.from));
      } catch (error) {
        reject(error instanceof KvError ? error : new KvError("unavailable", messageOf(error)));
      }
    }
  }

  async #accept(from: NodeRef | undefined): Promise<Ring> {
    const { log, rings, transport, settings } = this.options;
    await this.#watch.askAll();
    const met = this.#watch.met();
    const { ring: before } = this.#stored!;
    const accepted = await ringToAccept(before, met, from, transport);
    checkSameSettings(settings, accepted.settings);
    const known = [...met.map(({ ring }) => ring.version), rings.version, before.version, accepted.version];
    const version = Math.max(...known) + 1;
    this.#stored = await this.#writer.replace(this.#stored!, accepted, version);
    log("warn", "the ring of the nodes takes the place of the coordinator's, by an operator's will", {
      ...{ before: before.version, accepted: accepted.version, ring: version },
    });
    this.#halted = undefined;
    this.#inCharge = true;
    rings.offer(this.#stored.ring);
    this.#offer(this.#stored.ring);
    this.options.wake();
    return this.#stored.ring;
  }

  /**
   * Throws, and writes nothing from now on, if somebody has taken a ring that is not of the coordinator's history. A node
   * of another cluster is refused, and no more: unless the coordinator has nothing, which it may have lost.
   */
  async #checkHistory(): Promise<void> {
    const { log, rings, name } = this.options;
    const { ring } = this.#stored!;
    const own = rings.ring === undefined || isBlank(rings.ring) ? [] : [{ address: name, ring: rings.ring }];
    const met = this.#watch.met().filter(({ ring: { clusterId } }) =>
      clusterId === ring.clusterId || isBlank(ring)
    );
    for (const { address, ring: taken } of [...own, ...met]) {
      const why = contradiction(ring, taken);
      if (why === undefined) continue;
      // Our own view may be an old one; it is not when the coordinator says so.
      await this.#writer.confirm(this.#stored!);
      this.#halted =
        `${address} has taken ${why}; was the coordinator restored from an old copy, or emptied?`;
      log("error", "this master writes nothing until kv admin accept-ring", { why: this.#halted });
      throw new KvError("unavailable", this.#halted);
    }
  }

  async #force(request: ForceOwnerRequest, reject: (error: KvError) => void): Promise<void> {
    const { log } = this.options;
    let change: RingChange;
    try {
      change = await force(this.#view(), request, {
        ...this.options,
        ask: (asked) => this.#watch.ask(asked),
      });
    } catch (error) {
      return reject(error instanceof KvError ? error : new KvError("unavailable", messageOf(error)));
    }
    const { node, by, slots } = request;
    log("warn", "an owner is forced on slots: acknowledged writes may be lost", {
      ...{ node: node!.id, by, slots: slots.map(({ slot }) => slot).join() },
    });
    await this.#write(change);
  }

  /** Decides and does one thing; false when there is nothing to do. */
  async #step(): Promise<boolean> {
    const { log } = this.options;
    await this.#look();
    const view = this.#view();
    const decision = reconcile(view, await this.#watch.ask(toAsk(view)));
    if (decision.kind === "nothing") return false;
    if (decision.kind === "refuse") {
      await this.#hints.refuse(decision.candidate, decision.reason);
    } else {
      await this.#write(decision.change);
      log("info", decision.what, { ring: view.ring.version + 1 });
    }
    return true;
  }

  #view(): View {
    return {
      ring: this.#stored!.ring,
      replicas: this.options.replicas,
      data: this.#data,
      standbys: this.#standbys,
      lost: this.#watch.lost(),
      known: this.#watch.known(),
    };
  }

  /** Who is registered; and what the registrations should say. */
  async #look(): Promise<void> {
    await this.#follow();
    await this.#hints.give(this.#stored!.ring, this.#data, this.#standbys);
  }

  async #follow(): Promise<void> {
    const { paths, wake } = this.options;
    [this.#data, this.#standbys] = await Promise.all([
      listPresent(this.session, paths.dataNodes, wake),
      listPresent(this.session, paths.standbys, wake),
    ]);
    this.#watch.follow(this.#stored!.ring, [...this.#data, ...this.#standbys]);
  }

  async #write(change: RingChange): Promise<void> {
    await this.#checkHistory();
    this.#stored = await this.#writer.write(this.#stored!, change);
    this.options.rings.offer(this.#stored.ring);
    this.#offer(this.#stored.ring);
  }

  /** Tells the nodes at once; they would find out by themselves, later. */
  #offer(ring: Ring): void {
    const { transport, log } = this.options;
    const message = ringToMessage(ring);
    for (const { address } of [...ring.nodes, ...ring.standbys]) {
      transport.call(address, cluster.offerRing, message, CALL_TIMEOUT_MS)
        .catch((error) => log("debug", "a node did not take the ring", { address, error: messageOf(error) }));
    }
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

function notWritten(cause: unknown): KvError {
  return new KvError("unavailable", `the ring could not be written: ${messageOf(cause)}`);
}
