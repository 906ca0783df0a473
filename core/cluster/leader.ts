import type { SuspectRequest } from "../../proto/gen/kv/v1/cluster.ts";
import type { Session } from "../coordination/coordinator.ts";
import { breakLock, lockHolder } from "../coordination/lock.ts";
import { KvError, messageOf } from "../platform/errors.ts";
import type { Clock, Log, Random, Transport } from "../platform/ports.ts";
import { ringToMessage } from "../ring/document.ts";
import { withoutMember } from "../ring/members.ts";
import type { ClusterSettings, Ring } from "../ring/ring.ts";
import { cluster } from "../rpc/methods.ts";
import { applyProposals, toAskForProposals } from "./decide/proposals.ts";
import type { RingChange, View } from "./decide/view.ts";
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
  #registerHolder: { readonly path: string; readonly sinceMs: number } | undefined;

  constructor(private readonly options: LeaderOptions, private readonly session: Session, lockNode: string) {
    const { paths, name, random, clock, transport, wake, log } = options;
    this.#writer = new RingWriter(session, paths.ring, lockNode, name, random);
    this.#watch = new NodeWatch({ clock, transport, log, changed: wake });
    this.#hints = new Hints(session, log, wake);
    this.#requests = new Requests(wake);
  }

  get inCharge(): boolean {
    return this.#inCharge;
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
    return this.#inCharge ? this.#requests.add(wish) : Promise.reject(notInCharge());
  }

  suspect({ suspect, wasAlive }: SuspectRequest): void {
    if (suspect !== undefined) void this.#watch.suspect(suspect, wasAlive);
  }

  /** One pass. Rejects with a {@link CoordinatorError} when the coordinator does not answer or we are deposed. */
  async pass(): Promise<void> {
    const { paths, settings, promiseMs, replicas, wake } = this.options;
    this.#stored = await readRing(this.session, paths.ring, wake) ??
      await this.#writer.create(settings, { promiseMs, replicas });
    if (!this.#inCharge) {
      await this.#write(this.#stored.ring);
      this.#inCharge = true;
    }
    this.options.rings.offer(this.#stored.ring);
    do await this.serve(); while (await this.#step());
    await this.#breakStaleRegistration();
  }

  /** Decides on what nodes have asked for since, without a look at anything else: owners wait for it. */
  async serve(): Promise<void> {
    if (this.#stored === undefined) return;
    const waiting = this.#requests.take();
    if (waiting.length === 0) return;
    try {
      await this.#serve(this.#stored.ring, waiting);
    } catch (error) {
      this.#stored = undefined;
      const answer = new KvError("unavailable", `the ring could not be written: ${messageOf(error)}`);
      for (const { reject } of waiting) reject(answer);
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
      if (wish.kind !== "leave") continue;
      const left = withoutMember(next, wish.ref);
      if (typeof left === "string") reject(new KvError("refused", left));
      else next = left;
    }
    if (next !== ring) await this.#write(next);
    for (const { resolve } of waiting) resolve(this.#stored!.ring);
  }

  /** Decides and does one thing; false when there is nothing to do. */
  async #step(): Promise<boolean> {
    const { log, replicas } = this.options;
    await this.#look();
    const view: View = {
      ring: this.#stored!.ring,
      replicas,
      data: this.#data,
      standbys: this.#standbys,
      lost: this.#watch.lost(),
      known: this.#watch.known(),
    };
    const decision = reconcile(view, await this.#watch.ask(toAsk(view)));
    if (decision.kind === "nothing") return false;
    if (decision.kind === "refuse") {
      await this.#hints.refuse(decision.candidate, decision.reason);
    } else {
      log("info", decision.what, { ring: view.ring.version + 1 });
      await this.#write(decision.change);
    }
    return true;
  }

  /** Who is registered; and what the registrations should say. */
  async #look(): Promise<void> {
    const { paths, wake } = this.options;
    [this.#data, this.#standbys] = await Promise.all([
      listPresent(this.session, paths.dataNodes, wake),
      listPresent(this.session, paths.standbys, wake),
    ]);
    const { ring } = this.#stored!;
    this.#watch.follow(ring, [...this.#data, ...this.#standbys]);
    await this.#hints.give(ring, this.#data, this.#standbys);
  }

  async #write(change: RingChange): Promise<void> {
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
