import { UnreachableError } from "../../../core/platform/errors.ts";
import type { Address } from "../../../core/platform/ports.ts";
import type { SeededRandom } from "./random.ts";
import type { Scheduler, SimProcess } from "./scheduler.ts";

/** How bad the network is at present. Probabilities are per message. */
export interface NetworkSettings {
  /** Least time that a message is on its way; an exponential tail with the mean `latencyTailMs` is added. */
  latencyMsMin: number;
  latencyTailMs: number;
  /** Probability and length of an additional delay. */
  spike: number;
  spikeMs: number;
  /** A lost request or reply of a call: the caller waits until its time limit. */
  callLoss: number;
  /** A call arrives a second time, up to `callAgainMs` later, as a retry of an impatient caller would. */
  callAgain: number;
  callAgainMs: number;
  /** The connection breaks: the message, or only the answer to it, is lost and both ends are told. */
  reset: number;
  /** `send` says that too much is waiting. */
  backPressure: number;
  /** A side of a silent connection gives it up after this time, or up to twice as much. */
  keepaliveMs: number;
}

export const CALM: NetworkSettings = {
  latencyMsMin: 0.05,
  latencyTailMs: 0.3,
  spike: 0,
  spikeMs: 0,
  callLoss: 0,
  callAgain: 0,
  callAgainMs: 0,
  reset: 0,
  backPressure: 0.01,
  keepaliveMs: 2000,
};

/** Something open between two processes: a stream or a call under way. */
export interface Link {
  readonly processes: readonly [SimProcess, SimProcess | undefined];
  /** `survivor` learns that the other process is gone. */
  breakAt(survivor: SimProcess, error: UnreachableError): void;
  /** The connection breaks, and both ends learn of it. */
  reset(error: UnreachableError): void;
  /** The machine of one end is off: what it could not send yet is gone. */
  lost(process: SimProcess): void;
  /** Messages that waited for a partition to end may go on. */
  resume(): void;
  readonly open: boolean;
}

/** A message as it is sent, for those who listen. */
export interface Sent {
  readonly from: string;
  readonly to: string;
  /** Of the method. */
  readonly path: string;
  readonly reply: boolean;
  /** Of the type that the method has; an error, where that is the reply of a call. */
  readonly message: unknown;
}

/** What the network keeps of a server. */
export interface Server<L> {
  readonly process: SimProcess;
  readonly listening: L;
}

/**
 * The network between all simulated processes. Partitions are between names of processes and one-way: what is sent in a
 * stream waits until the partition ends or the connection is given up, what belongs to a call is lost.
 */
export class SimNetwork<L> {
  readonly settings: NetworkSettings = { ...CALM };
  readonly links = new Set<Link>();
  readonly servers = new Map<Address, Server<L>>();
  /** Called with every message, for a readable trace. */
  onMessage: ((sent: Sent) => void) | undefined;
  /** How often each thing happened, by name. */
  readonly counts = new Map<string, number>();
  readonly #cuts = new Set<string>();
  /** Further milliseconds on the way between two names. */
  readonly #slow = new Map<string, number>();
  #nextPort = 40_000;

  constructor(readonly scheduler: Scheduler, readonly random: SeededRandom) {}

  count(what: string): void {
    this.counts.set(what, (this.counts.get(what) ?? 0) + 1);
  }

  freePort(): number {
    return this.#nextPort++;
  }

  latencyMs(): number {
    const { latencyMsMin, latencyTailMs, spike, spikeMs } = this.settings;
    const spiked = this.random.chance(spike);
    if (spiked) this.count("latency spike");
    return latencyMsMin + this.random.exponential(latencyTailMs) +
      (spiked ? this.random.number() * spikeMs : 0);
  }

  /** The time of one message between the two. */
  delayMs(from: SimProcess, to: SimProcess): number {
    const slowMs = this.#slow.size === 0 ? 0 : this.#slow.get(`${from.name}>${to.name}`) ?? 0;
    return this.latencyMs() + slowMs;
  }

  isCut(from: SimProcess, to: SimProcess): boolean {
    return this.#cuts.size > 0 && from.name !== to.name && this.#cuts.has(`${from.name}>${to.name}`);
  }

  /** Each message from `from` to `to` takes so much longer; 0: no longer. */
  slow(from: string, to: string, moreMs: number): void {
    if (moreMs === 0) this.#slow.delete(`${from}>${to}`);
    else this.#slow.set(`${from}>${to}`, moreMs);
  }

  /** From now on nothing goes from `from` to `to`; the other direction is as it was. */
  cut(from: string, to: string): void {
    this.#cuts.add(`${from}>${to}`);
    for (const link of this.links) {
      const [a, b] = link.processes;
      if (b === undefined || !(a.name === from ? b.name === to : a.name === to && b.name === from)) continue;
      if (this.#blocked(link)) this.#giveUp(link);
    }
  }

  heal(from: string, to: string): void {
    this.#cuts.delete(`${from}>${to}`);
    this.#resume();
  }

  healAll(): void {
    this.#cuts.clear();
    this.#slow.clear();
    this.#resume();
  }

  get cuts(): ReadonlySet<string> {
    return this.#cuts;
  }

  /**
   * The process has ended: its addresses are free, and its peers learn of it, soon when the machine lives on and
   * says so, only by the missing keepalive when the power is off.
   */
  killed(process: SimProcess, how: "process" | "power"): void {
    for (const [address, server] of this.servers) {
      if (server.process === process) this.servers.delete(address);
    }
    for (const link of [...this.links]) {
      const [a, b] = link.processes;
      if (how === "power" && (a === process || b === process)) link.lost(process);
      const survivor = a === process ? b : b === process ? a : undefined;
      if (survivor === undefined) continue;
      const silent = how === "power" || this.isCut(process, survivor);
      const delayMs = silent ? this.keepaliveMs() : this.latencyMs();
      this.scheduler.after(delayMs, () => {
        if (link.open) link.breakAt(survivor, new UnreachableError(`connection to ${process.name} broken`));
      });
    }
  }

  /** The process stands still: its peers give their connections up, unless it goes on before. */
  paused(process: SimProcess): void {
    for (const link of this.links) if (link.processes.includes(process)) this.#giveUp(link);
  }

  /** The connections that the process has made break. */
  reset(process: SimProcess): void {
    for (const link of [...this.links]) {
      if (link.processes[0] === process && link.open) link.reset(new UnreachableError("connection reset"));
    }
  }

  /** To be called for a new link: one into a partition, or to a process that stands still, is given up in time. */
  watch(link: Link): void {
    if (this.#blocked(link)) this.#giveUp(link);
  }

  keepaliveMs(): number {
    return this.random.between(this.settings.keepaliveMs, 2 * this.settings.keepaliveMs);
  }

  /** Each end gives the connection up in its own time, if the trouble is still there then. */
  #giveUp(link: Link): void {
    for (const side of link.processes) {
      if (side === undefined) continue;
      this.scheduler.after(this.keepaliveMs(), () => {
        if (!link.open || !this.#blocked(link)) return;
        link.breakAt(side, new UnreachableError("connection lost: no answer to keepalive"));
      });
    }
  }

  #blocked(link: Link): boolean {
    const [a, b] = link.processes;
    if (b === undefined) return false;
    return a.paused || b.paused || this.isCut(a, b) || this.isCut(b, a);
  }

  #resume(): void {
    for (const link of [...this.links]) link.resume();
  }
}
