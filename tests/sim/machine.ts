import { messageOf } from "../../core/platform/errors.ts";
import type { Disk, Log, World } from "../../core/platform/ports.ts";
import type { MachineDisk } from "./machine_disk.ts";
import { SimClock } from "./world/clock.ts";
import { SimCoordinator } from "./world/coordinator.ts";
import type { SimEnsemble } from "./world/ensemble.ts";
import type { SimNetwork } from "./world/network.ts";
import type { SeededRandom } from "./world/random.ts";
import { type Scheduler, SimProcess } from "./world/scheduler.ts";
import { type Listening, SimTransport } from "./world/transport.ts";

/** What all machines of a run share. */
export interface Surroundings {
  readonly scheduler: Scheduler;
  readonly network: SimNetwork<Listening>;
  readonly ensemble: SimEnsemble;
  readonly trace: (text: string) => void;
  readonly count: (what: string) => void;
  readonly violated: (what: string) => void;
  /** What a program says to people. */
  readonly said: (machine: string, level: string, text: string) => void;
  /** The machine's process is about to end; what it is in the middle of will not be finished. */
  readonly dying: (machine: Machine<Program>) => void;
  /** Clocks run wrong by up to this share: 0.01 is one per cent. */
  readonly clockSkew: number;
  readonly timerLateMsMax: number;
}

/** A program that a machine runs. */
export interface Program {
  start(): Promise<void>;
  stop(): Promise<void>;
  /** Resolves when it has ended. */
  readonly stopped: Promise<Error | undefined>;
}

/**
 * A computer with a name, a disk, a clock that is somewhat wrong, and at most one process at a time. A process that
 * ends by itself is started again, unless `mayRestart` says no.
 */
export class Machine<P extends Program> {
  process: SimProcess | undefined;
  program: P | undefined;
  /** Of the process. */
  clock: SimClock | undefined;
  /** Its last start has succeeded, and it has not ended since. */
  ready = false;
  starts = 0;
  /** How long it stays down when its process ends next; as it likes when undefined. */
  restartAfterMs: number | undefined;
  /** Its disk is not its own, but one put into it for a while. */
  borrows = false;
  /** Will not be started again. */
  retired = false;
  readonly #clockRate: number;
  #disk: MachineDisk | undefined;
  #restartAtMs = Infinity;

  constructor(
    readonly surroundings: Surroundings,
    readonly name: string,
    readonly random: SeededRandom,
    disk: MachineDisk | undefined,
    readonly make: (world: World, coordinator: SimCoordinator, machine: Machine<Program>) => P,
    readonly mayRestart: (error: Error | undefined) => boolean = () => true,
  ) {
    if (disk !== undefined) this.putDisk(disk);
    this.#clockRate = 1 + random.between(-1, 1) * surroundings.clockSkew;
  }

  get disk(): MachineDisk | undefined {
    return this.#disk;
  }

  /** Gives the machine another disk, while no process runs; returns the one that it had. */
  putDisk(disk: MachineDisk): MachineDisk | undefined {
    const before = this.#disk;
    if (before !== undefined) before.powerFailed = () => {};
    disk.powerFailed = () => {
      this.kill("power");
      this.startIn(this.random.between(100, 2000));
    };
    this.#disk = disk;
    return before;
  }

  get alive(): boolean {
    return this.process !== undefined;
  }

  start(): void {
    if (this.process !== undefined || this.retired) return;
    this.#restartAtMs = Infinity;
    const { scheduler, network, ensemble } = this.surroundings;
    const process = new SimProcess(scheduler, this.name);
    if (ensemble.sessions.some(({ client }) => client === this.name)) {
      this.surroundings.count("restarted within a session's time");
    }
    this.process = process;
    const random = this.random.fork(`start ${++this.starts}`);
    const log: Log = (level, message, fields) => this.#log(level, message, fields);
    const clock = new SimClock(process, random.fork("clock"), {
      rate: this.#clockRate,
      offsetMs: random.below(1_000_000),
      wallAheadMs: random.between(-1, 1) * 100 * this.surroundings.clockSkew,
      timerLateMsMax: this.surroundings.timerLateMsMax,
    });
    this.clock = clock;
    const transport = new SimTransport(network, process);
    const disk = this.#disk?.mount(process, clock) ?? NO_DISK;
    const world = { clock, random: random.fork("program"), disk, transport, log };
    this.surroundings.trace(`${this.name}: started`);
    const program = this.make(world, new SimCoordinator(ensemble, process, log), this);
    this.program = program;
    program.start().then(
      () => {
        if (this.process === process) this.ready = true;
      },
      (error) => this.#ended(process, error),
    );
    program.stopped.then((error) => this.#ended(process, error));
  }

  /** Ends the process without a word. "power": what was not synced may be lost. */
  kill(how: "process" | "power"): void {
    const { process } = this;
    if (process === undefined) return;
    this.surroundings.trace(`${this.name}: killed (${how})`);
    this.surroundings.dying(this);
    this.#forget();
    process.kill();
    this.surroundings.network.killed(process, how);
    if (how === "power") this.disk?.lose();
  }

  /** Starts again in `delayMs`, unless it was started before. */
  startIn(delayMs: number): void {
    const atMs = this.surroundings.scheduler.nowMs + delayMs;
    this.#restartAtMs = atMs;
    this.surroundings.scheduler.at(atMs, () => {
      if (this.#restartAtMs === atMs) this.start();
    });
  }

  /** "suspended": the whole machine; when it goes on, its monotonic clock knows nothing of it. */
  pause(how: "paused" | "suspended" = "paused"): void {
    if (this.process === undefined || this.process.paused) return;
    this.surroundings.trace(`${this.name}: ${how}`);
    if (this.name.startsWith("master")) this.surroundings.count("master paused");
    if (how === "suspended") this.clock?.suspend();
    this.process.pause();
    this.surroundings.network.paused(this.process);
  }

  resume(): void {
    if (!this.process?.paused) return;
    this.surroundings.trace(`${this.name}: goes on`);
    this.clock?.wake();
    this.process.resume();
  }

  #ended(process: SimProcess, error: Error | undefined): void {
    if (this.process !== process) return;
    this.surroundings.trace(`${this.name}: ended${error === undefined ? "" : `: ${messageOf(error)}`}`);
    if (error instanceof TypeError || error instanceof ReferenceError || error instanceof RangeError) {
      this.surroundings.violated(`${this.name} ended by a bug: ${error.stack}`);
    }
    this.kill("process");
    if (this.mayRestart(error)) this.startIn(this.restartAfterMs ?? this.random.between(100, 1000));
    else this.retired = true;
    this.restartAfterMs = undefined;
  }

  #forget(): void {
    this.process = undefined;
    this.program = undefined;
    this.ready = false;
  }

  #log(level: string, message: string, fields: Record<string, unknown> = {}): void {
    // What the program says shows which of its paths the faults have led to.
    if (level !== "debug") this.surroundings.count(`"${message.replaceAll(/\d+/g, "N")}"`);
    const pairs = Object.entries(fields).map(([name, value]) => ` ${name}=${String(value)}`).join("");
    this.surroundings.trace(`${this.name}: ${level}: ${message}${pairs}`);
    this.surroundings.said(this.name, level, `${message}${pairs}`);
  }
}

/** For machines whose program must not use a disk. */
const NO_DISK: Disk = new Proxy({} as Disk, {
  get: (_, name) => {
    throw new Error(`this machine has no disk (${String(name)})`);
  },
});
