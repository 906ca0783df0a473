import { KvError } from "../platform/errors.ts";
import type { Address, Cancel, Clock, Log, Transport } from "../platform/ports.ts";
import type { RingMark } from "../ring/history.ts";
import type { NodeRef, Ring } from "../ring/ring.ts";
import { cluster } from "../rpc/methods.ts";
import { OwnTime } from "./own_time.ts";
import { type Arrivals, gatheredMs, lossOf, type Observed } from "./decide/verdict.ts";
import { type Answer, type Answers, type Loss, newestById } from "./decide/view.ts";
import type { Asked } from "./reconcile.ts";
import type { Registered } from "./registration.ts";

const PERIOD_MS = 250;
const DEADLINE_MS = 400;
/** A failure that comes so much before the deadline is a broken or refused connection; others are silence. */
const EARLY_MS = 50;
/** An answer may have come and wait behind an alarm that is so late. */
const LATE_MS = 100;
/** A master that reaches less than half of those whom the coordinator hears is itself the one that is cut off. */
const CUT_OFF_MS = 3000;

type Mutable<T> = { -readonly [K in keyof T]: T[K] };

/** A process that is watched. */
interface Watched extends Mutable<Observed> {
  readonly ref: NodeRef;
  address: Address;
  registered: boolean;
  inRing: boolean;
  /** It has taken its registration back itself. */
  leaving: boolean;
  asking: boolean;
  /** As it was judged last. */
  loss: Loss | undefined;
}

/** A process that has told which ring it had taken. */
export interface Met {
  readonly ref: NodeRef;
  readonly address: Address;
  readonly ring: RingMark;
}

export interface NodeWatchOptions {
  readonly clock: Clock;
  readonly transport: Transport;
  readonly log: Log;
  /** Something has changed that decisions depend on. */
  readonly changed: () => void;
}

/** The active master's eyes: inspects the processes of the ring and those that are registered, and hears suspicions. */
export class NodeWatch {
  readonly #options: NodeWatchOptions;
  readonly #arrivals: Mutable<Arrivals>;
  readonly #stopTicking: Cancel;
  #watched = new Map<string, Watched>();
  #promiseMs = Infinity;
  /** What was told last by `changed`. */
  #told = "";
  #cutOffSinceMs: number | undefined;
  readonly #own: OwnTime;

  constructor(options: NodeWatchOptions) {
    this.#options = options;
    this.#own = new OwnTime(options.clock);
    this.#arrivals = { leadingSinceMs: this.#own.nowMs(), firstMs: undefined, lastMs: undefined };
    this.#stopTicking = options.clock.every(PERIOD_MS, () => this.#tick());
  }

  stop(): void {
    this.#own.stop();
    this.#stopTicking();
  }

  /** From now on watches these. */
  follow(ring: Ring, registered: readonly Registered[]): void {
    const before = this.#watched;
    this.#watched = new Map();
    this.#promiseMs = ring.promiseMs;
    const watch = (ref: NodeRef, address: Address, as: "registered" | "inRing" | "leaving") => {
      const key = keyOf(ref);
      let seen = this.#watched.get(key);
      if (seen === undefined) {
        const anew = { registered: false, inRing: false, leaving: false };
        seen = Object.assign(before.get(key) ?? unseen(ref), anew);
        this.#watched.set(key, seen);
      }
      seen.address = address;
      seen[as] = true;
    };
    for (const { ref, address } of newestById(registered).values()) watch(ref, address, "registered");
    for (const { ref, address, leaving } of [...ring.nodes, ...ring.standbys]) {
      watch(ref, address, "inRing");
      if (leaving) watch(ref, address, "leaving");
    }
  }

  /** By id: the processes of the ring that are lost. */
  lost(): Map<string, Loss> {
    const nowMs = this.#own.nowMs();
    const lost = new Map<string, Loss>();
    for (const seen of this.#watched.values()) {
      if (!seen.inRing) continue;
      const around = {
        nowMs,
        gatheredMs: gatheredMs(this.#arrivals),
        promiseMs: this.#promiseMs,
        registered: seen.registered || seen.leaving,
      };
      const loss = lossOf(seen, around);
      if (loss !== undefined) lost.set(seen.ref.id, loss);
      if (seen.loss !== loss) this.#noteLoss(seen, loss);
    }
    return lost;
  }

  #noteLoss(seen: Watched, loss: Loss | undefined): void {
    seen.loss = loss;
    if (loss === undefined) return;
    const { ref, address, registered, leaving, broken } = seen;
    const why = loss === "stuck"
      ? "its disk takes no writes"
      : broken
      ? "its connection broke"
      : registered || leaving
      ? "it does not answer"
      : "it does not answer, and its registration is gone";
    this.#options.log("info", "a process is taken for lost", { node: ref.id, address, why });
  }

  /** The last answers, of those that answered the last time. */
  known(): Answers {
    const answering = [...this.#watched.values()].filter(({ failingSinceMs }) =>
      failingSinceMs === undefined
    );
    return new Map(answering.flatMap(({ ref, answer }) => answer === undefined ? [] : [[ref.id, answer]]));
  }

  /** The rings that processes have said they had taken. */
  met(): Met[] {
    return [...this.#watched.values()].flatMap(({ ref, address, answer }) =>
      answer?.ring === undefined ? [] : [{ ref, address, ring: answer.ring }]
    );
  }

  /** Asks all of whom anything is known, once. */
  async askAll(): Promise<void> {
    await Promise.all([...this.#watched.values()].map((each) => this.#inspect(each)));
  }

  /**
   * The answers, given after this call, of those who answer. One that is known to be silent is not asked: it would hold
   * up all others, and the next round will show whether it is back.
   */
  async ask(asked: readonly Asked[]): Promise<Answers> {
    const watched = new Map<string, Watched>();
    for (const { ref } of asked) {
      const found = this.#watched.get(keyOf(ref));
      if (found !== undefined && (found.failingSinceMs === undefined || found.broken)) {
        watched.set(keyOf(ref), found);
      }
    }
    const answers = await Promise.all([...watched.values()].map((each) => this.#inspect(each)));
    return new Map(answers.flatMap((answer) => answer === undefined ? [] : [[answer.ref.id, answer]]));
  }

  /** Somebody reports that a process does not answer. Looks at once. */
  async suspect(ref: NodeRef, wasAlive: boolean): Promise<void> {
    const seen = this.#watched.get(keyOf(ref));
    if (seen === undefined) return;
    seen.suspectedMs = this.#own.nowMs();
    if (wasAlive) seen.metAlive = true;
    await this.#inspect(seen);
    this.#tell();
  }

  /** This master has for long not reached most of those whom the coordinator hears. */
  get cutOff(): boolean {
    const since = this.#cutOffSinceMs;
    return since !== undefined && this.#own.nowMs() - since >= CUT_OFF_MS;
  }

  #tick(): void {
    for (const seen of this.#watched.values()) {
      if (!seen.asking) void this.#inspectInTurn(seen);
    }
    const registered = [...this.#watched.values()].filter((seen) => seen.registered);
    const failing = registered.filter(({ failingSinceMs }) => failingSinceMs !== undefined);
    if (failing.length * 2 <= registered.length) this.#cutOffSinceMs = undefined;
    else this.#cutOffSinceMs ??= this.#own.nowMs();
    this.#tell();
  }

  async #inspectInTurn(seen: Watched): Promise<void> {
    seen.asking = true;
    await this.#inspect(seen);
    seen.asking = false;
    this.#tell();
  }

  async #inspect(seen: Watched): Promise<Answer | undefined> {
    const { clock, transport } = this.#options;
    const { ref, address } = seen;
    const startMs = clock.monotonicMs();
    const startOwnMs = this.#own.nowMs();
    try {
      const reply = await transport.call(address, cluster.inspect, { node: ref }, DEADLINE_MS);
      const { stuck, unusable, ringVersion: version, ringNonce: nonce, clusterId } = reply;
      const ring = clusterId === "" ? {} : { ring: { clusterId, version, nonce } };
      const answer = { ref, stuck, unusable: new Set(unusable), ...ring };
      if (!seen.metAlive) this.#arrived();
      Object.assign(seen, { answer, metAlive: true, failingSinceMs: undefined, broken: false });
      return answer;
    } catch (error) {
      const tookMs = clock.monotonicMs() - startMs;
      if (tookMs > DEADLINE_MS + LATE_MS) return undefined;
      // A stream that broke while nobody here looked after it says no more than silence.
      const heldUp = tookMs - (this.#own.nowMs() - startOwnMs) > EARLY_MS;
      const early = tookMs < DEADLINE_MS - EARLY_MS && !heldUp;
      seen.failingSinceMs ??= startOwnMs;
      seen.broken = early && error instanceof KvError &&
        (error.code === "unreachable" || error.code === "refused");
      return undefined;
    }
  }

  #arrived(): void {
    this.#arrivals.lastMs = this.#own.nowMs();
    this.#arrivals.firstMs ??= this.#arrivals.lastMs;
  }

  #tell(): void {
    const lost = [...this.lost()].map(([id, loss]) => `${id} ${loss}`);
    const answering = [...this.#watched.values()].map(({ ref, failingSinceMs, answer }) =>
      failingSinceMs === undefined && answer !== undefined
        ? `${keyOf(ref)} ${[...answer.unusable].join()}`
        : ""
    );
    const now = [...lost, ...answering, this.cutOff].join(";");
    if (now === this.#told) return;
    this.#told = now;
    this.#options.changed();
  }
}

function unseen(ref: NodeRef): Watched {
  return {
    ref,
    address: "",
    registered: false,
    inRing: false,
    leaving: false,
    asking: false,
    loss: undefined,
    metAlive: false,
    answer: undefined,
    failingSinceMs: undefined,
    broken: false,
    suspectedMs: undefined,
  };
}

function keyOf({ id, incarnation }: NodeRef): string {
  return `${id}/${incarnation}`;
}
