import { DataNode } from "../../core/cluster/data_node.ts";
import { Master } from "../../core/cluster/master.ts";
import { pathsBelow } from "../../core/cluster/paths.ts";
import type { Address } from "../../core/platform/ports.ts";
import { fnv1a32 } from "../../core/ring/hash.ts";
import { slotOf } from "../../core/ring/placement.ts";
import { type Workload, WorkloadClient } from "./client.ts";
import { History } from "./history.ts";
import { Invariants } from "./invariants.ts";
import type { LiveNode } from "./invariants/owners.ts";
import { RingTruth } from "./invariants/ring.ts";
import { Machine, type Program, type Surroundings } from "./machine.ts";
import { MachineDisk } from "./machine_disk.ts";
import type { Plan } from "./plan.ts";
import { SimEnsemble } from "./world/ensemble.ts";
import { CALM, SimNetwork } from "./world/network.ts";
import type { SeededRandom } from "./world/random.ts";
import { Scheduler, type SimProcess } from "./world/scheduler.ts";
import type { Listening } from "./world/transport.ts";

const FOLDER = "/data";

/** A simulated cluster: masters, data nodes and clients, each on a machine of its own. */
export class Cluster {
  readonly scheduler: Scheduler;
  readonly network: SimNetwork<Listening>;
  readonly ensemble: SimEnsemble;
  readonly masters: Machine<Master>[];
  readonly dataNodes: Machine<DataNode>[];
  readonly clients: Machine<WorkloadClient>[];
  readonly history = new History();
  readonly workload: Workload;
  /** The ring as it really is. */
  readonly rings: RingTruth;
  readonly invariants: Invariants;
  readonly violations: string[] = [];
  /** How often each fault was injected, by kind. */
  readonly counts = new Map<string, number>();
  readonly #nodeMachines = new Map<string, Machine<DataNode>>();

  constructor(readonly plan: Plan, readonly random: SeededRandom, readonly onTrace?: (line: string) => void) {
    this.scheduler = new Scheduler(random.fork("order"));
    this.network = new SimNetwork(this.scheduler, random.fork("network"));
    this.ensemble = new SimEnsemble(this.scheduler, random.fork("coordinator"));
    this.rings = new RingTruth(this.ensemble, pathsBelow(plan.config.root), (what) => this.violated(what));
    this.invariants = this.#invariants();
    this.scheduler.afterStep = (process) => this.#look(process);
    this.scheduler.onError = (error, { process, label }) =>
      this.violated(
        `uncaught in ${process?.name ?? "the world"} (${label}): ${(error as Error).stack ?? error}`,
      );
    this.masters = range(plan.masters).map((i) => this.#master(`master${i}`, `10.0.1.${i}:9666`));
    this.dataNodes = range(plan.dataNodes).map((i) => this.#dataNode(`data${i}`, `10.0.2.${i}`));
    for (const machine of this.dataNodes) this.#nodeMachines.set(machine.name, machine);
    this.workload = {
      plan,
      history: this.history,
      masters: this.masters.map((_, i) => `10.0.1.${i + 1}:9666`),
      left: plan.operations,
      values: 0,
      versions: new Map(),
      rotten: false,
      damagedKeys: new Set(),
      violated: (what) => this.violated(what),
      trace: this.trace,
    };
    this.clients = range(plan.clients).map((i) => this.#client(`client${i}`));
  }

  get machines(): Machine<Program>[] {
    return [...this.masters, ...this.dataNodes, ...this.clients] as unknown as Machine<Program>[];
  }

  get names(): string[] {
    return this.machines.map((machine) => machine.name);
  }

  readonly trace = (text: string): void => {
    this.onTrace?.(`${this.scheduler.nowMs.toFixed(3).padStart(11)} ${text}`);
  };

  violated(what: string): void {
    this.trace(`VIOLATION: ${what}`);
    this.violations.push(what);
  }

  count(what: string): void {
    this.counts.set(what, (this.counts.get(what) ?? 0) + 1);
  }

  /** Ends all trouble and starts whatever does not run. */
  calmDown(): void {
    this.trace("calm from here on");
    this.network.healAll();
    Object.assign(this.network.settings, CALM);
    Object.assign(this.ensemble.settings, { lossBefore: 0, lossAfter: 0 });
    for (const machine of this.machines) {
      machine.resume();
      machine.start();
    }
  }

  #master(name: string, address: Address): Machine<Master> {
    return new Machine(
      this.#surroundings(),
      name,
      this.random.fork(name),
      undefined,
      (world, coordinator) => {
        return new Master({ world, coordinator, config: this.plan.config, address });
      },
    );
  }

  #dataNode(name: string, host: string): Machine<DataNode> {
    const random = this.random.fork(name);
    const disk = new MachineDisk(random.fork("disk"), this.plan.slowDisks, (what) => this.count(what));
    const surroundings = this.#surroundings();
    // A node that the master does not take in has come too late: its share of the slots has been written.
    const mayRestart = (error: Error | undefined) => !/does not take this node in/.test(error?.message ?? "");
    return new Machine(surroundings, name, random, disk, (world, coordinator, machine) => {
      const port = machine.random.chance(0.5) ? 7000 : 0;
      const address = `${host}:${port}`;
      return new DataNode({ world, coordinator, config: this.plan.config, address, folder: FOLDER });
    }, mayRestart);
  }

  #client(name: string): Machine<WorkloadClient> {
    const random = this.random.fork(name);
    return new Machine(this.#surroundings(), name, random, undefined, (world, _, machine) => {
      return new WorkloadClient(name, world, random.fork(`load ${machine.starts}`), this.workload);
    });
  }

  #surroundings(): Surroundings {
    const { scheduler, network, ensemble, trace } = this;
    const count = (what: string) => this.count(what);
    const violated = (what: string) => this.violated(what);
    const dying = (machine: Machine<Program>) => this.#dying(machine.name);
    return { scheduler, network, ensemble, trace, count, violated, dying, clockSkew: this.plan.clockSkew };
  }

  #invariants(): Invariants {
    const { msn, minInSync } = this.plan.config;
    const violated = (what: string) => this.violated(what);
    const invariants = new Invariants(this.rings, {
      msn,
      minInSync,
      violated,
      count: (what) => this.count(what),
    });
    this.history.onAnswer = (key, answer) => {
      if (!("version" in answer) || answer.version === 0) return;
      const slot = slotOf(fnv1a32(new TextEncoder().encode(key)), msn);
      invariants.acknowledged(slot, answer.version, answer.kind === "written");
    };
    return invariants;
  }

  #look(process: SimProcess | undefined): void {
    if (process === undefined) return;
    const machine = this.#nodeMachines.get(process.name);
    const live = machine?.process === process ? liveNode(machine) : undefined;
    if (live !== undefined) this.invariants.look(live);
  }

  #dying(name: string): void {
    const machine = this.#nodeMachines.get(name);
    const live = machine && liveNode(machine);
    if (live === undefined) return;
    this.invariants.look(live, true);
    this.invariants.ended(live);
  }
}

const live = new WeakMap<DataNode, LiveNode>();

/** The same object every time for the same process. */
function liveNode({ name, program, clock }: Machine<DataNode>): LiveNode | undefined {
  if (program === undefined || clock === undefined) return undefined;
  let known = live.get(program);
  if (known === undefined) {
    live.set(
      program,
      known = {
        name,
        node: program,
        nowMs: () => clock.monotonicMs(),
      },
    );
  }
  return known;
}

function range(count: number): number[] {
  return Array.from({ length: count }, (_, i) => i + 1);
}
