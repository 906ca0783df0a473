import { DataNode } from "../../core/cluster/data_node.ts";
import { Master } from "../../core/cluster/master.ts";
import { pathsBelow } from "../../core/cluster/paths.ts";
import { settingsOf } from "../../core/cluster/role.ts";
import type { Address } from "../../core/platform/ports.ts";
import { createRing, ringToJson } from "../../core/ring/document.ts";
import { fnv1a32 } from "../../core/ring/hash.ts";
import { withNode } from "../../core/ring/members.ts";
import { slotOf } from "../../core/ring/placement.ts";
import type { NodeRef, Ring } from "../../core/ring/ring.ts";
import { newIdentity, writeIdentity } from "../../core/storage/identity.ts";
import { MANIFEST_NAME } from "../../core/storage/checkpoint.ts";
import { EMPTY_MANIFEST, encodeManifest } from "../../core/storage/manifest.ts";
import { replaceFileNow } from "../../core/storage/replace_file.ts";
import { hotKey, type Workload, WorkloadClient } from "./client.ts";
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
import { SimClock } from "./world/clock.ts";
import { Scheduler, SimProcess } from "./world/scheduler.ts";
import type { Listening } from "./world/transport.ts";

const FOLDER = "/data";
/** What no fault that is injected may lead to: no copy becomes another one unless somebody makes it so. */
const FALSE_ALARM = /copies of a slot are not the same|records are not in the files/;

export interface Listeners {
  said?: (machine: string, level: string, text: string) => void;
  /** What nodes think of their ownership of a slot. */
  owner?: (machine: string, slot: number, what: string) => void;
}

/** A simulated cluster: masters, data nodes and clients, each on a machine of its own. */
export class Cluster {
  readonly scheduler: Scheduler;
  readonly network: SimNetwork<Listening>;
  readonly ensemble: SimEnsemble;
  readonly masters: Machine<Master>[];
  readonly dataNodes: Machine<DataNode>[];
  readonly standbys: Machine<DataNode>[];
  readonly clients: Machine<WorkloadClient>[];
  readonly history = new History();
  readonly workload: Workload;
  /** The ring as it really is. */
  readonly rings: RingTruth;
  readonly invariants: Invariants;
  readonly violations: string[] = [];
  /** What happens, for those who tell stories of it. */
  readonly listeners: Listeners = {};
  /** Copies are made to differ. */
  spoils = false;
  /** How often each fault was injected, by kind. */
  readonly counts = new Map<string, number>();
  /** The id of the node on each machine's own disk, once seen. */
  readonly #ids = new Map<Machine<DataNode>, string>();
  readonly #nodeMachines = new Map<string, Machine<DataNode>>();

  constructor(readonly plan: Plan, readonly random: SeededRandom, readonly onTrace?: (line: string) => void) {
    this.scheduler = new Scheduler(random.fork("order"));
    this.network = new SimNetwork(this.scheduler, random.fork("network"));
    this.ensemble = new SimEnsemble(this.scheduler, random.fork("coordinator"));
    const paths = pathsBelow(plan.config.root);
    const violated = (what: string) => this.violated(what);
    this.rings = new RingTruth(this.ensemble, paths, violated, (what) => this.count(what));
    if (onTrace !== undefined) this.rings.onWrite((ring, before) => this.#traceRing(ring, before));
    this.invariants = this.#invariants();
    this.scheduler.afterStep = (process) => this.#look(process);
    this.scheduler.onError = (error, { process, label }) =>
      this.violated(
        `uncaught in ${process?.name ?? "the world"} (${label}): ${(error as Error).stack ?? error}`,
      );
    this.masters = range(plan.masters).map((i) => this.#master(`master${i}`, `10.0.1.${i}:9666`));
    this.dataNodes = range(plan.dataNodes).map((i) => this.#node(`data${i}`, `10.0.2.${i}`, "data"));
    this.standbys = range(plan.standbys).map((i) => this.#node(`standby${i}`, `10.0.3.${i}`, "standby"));
    for (const machine of this.nodes) this.#nodeMachines.set(machine.name, machine);
    this.workload = {
      plan,
      history: this.history,
      masters: this.masters.map((_, i) => `10.0.1.${i + 1}:9666`),
      left: plan.operations,
      values: 0,
      versions: new Map(),
      rotten: false,
      violated: (what) => this.violated(what),
      trace: this.trace,
    };
    this.clients = range(plan.clients).map((i) => this.#client(`client${i}`));
  }

  get machines(): Machine<Program>[] {
    return [...this.masters, ...this.nodes, ...this.clients];
  }

  /** Data nodes and standbys, by what they were at first: the two change places. */
  get nodes(): Machine<DataNode>[] {
    return [...this.dataNodes, ...this.standbys];
  }

  get names(): string[] {
    return this.machines.map((machine) => machine.name);
  }

  readonly trace = (text: string): void => {
    this.onTrace?.(`${this.scheduler.nowMs.toFixed(3).padStart(11)} ${text}`);
  };

  #traceRing(ring: Ring, before: Ring | undefined): void {
    const name = ({ id, incarnation }: NodeRef) => `${id.slice(0, 4)}.${incarnation}`;
    const seats = ring.nodes.map(({ ref, label, leaving }) => `${name(ref)}@${label}${leaving ? "-" : ""}`);
    const standbys = ring.standbys.map(({ ref }) => name(ref));
    this.trace(`ring ${ring.version} by ${ring.writer}: ${seats.join(" ")} standbys ${standbys.join(" ")}`);
    for (const [slot, entry] of ring.slots.entries()) {
      const { owner, epoch, isr, isrSeq } = entry;
      const old = before?.slots[slot];
      if (owner === undefined || (old?.epoch === epoch && old.isrSeq === isrSeq)) continue;
      this.trace(
        `  slot ${slot}: owner ${name(owner)} epoch ${epoch} isr ${isr.map(name).join(" ")} (${isrSeq})`,
      );
    }
  }

  violated(what: string): void {
    const named = this.#named(what);
    this.trace(`VIOLATION: ${named}`);
    this.violations.push(named);
  }

  /** With the machines' names in the place of ids. */
  #named(text: string): string {
    let named = text;
    for (const [{ name }, id] of this.#ids) named = named.replaceAll(id, name);
    return named;
  }

  count(what: string): void {
    this.counts.set(what, (this.counts.get(what) ?? 0) + 1);
  }

  /** The machine on which the node of this id was last seen alive. */
  machineOf(id: string | undefined): Machine<Program> | undefined {
    const live = id === undefined ? undefined : this.invariants.liveNode(id);
    return live && this.#nodeMachines.get(live.name);
  }

  /** Who owns what half of all operations go to at present. */
  busiestOwner(): Machine<Program> | undefined {
    return this.machineOf(this.rings.ring?.slots[this.slotOf(hotKey(this.workload))]?.owner?.id);
  }

  slotOf(key: string): number {
    return slotOf(fnv1a32(new TextEncoder().encode(key)), this.plan.config.msn);
  }

  /** Whether every slot that the machine's disk holds is in sync elsewhere. */
  mayLose(machine: Machine<DataNode>): boolean {
    const id = machine.borrows ? undefined : this.#ids.get(machine);
    if (id === undefined) return false;
    const slots = this.rings.ring?.slots ?? [];
    return slots.every(({ isr }, slot) =>
      !isr.some((ref) => ref.id === id) || this.invariants.hasCopy(slot, id)
    );
  }

  /** The machine's disk is replaced by an empty one: the node that was there will never come back. */
  lose(machine: Machine<DataNode>): void {
    machine.kill("power");
    this.invariants.lost(this.#ids.get(machine)!);
    this.#ids.delete(machine);
    machine.putDisk(this.#disk(machine.random.fork(`disk after ${machine.starts}`)));
  }

  /** A disk with the folder of a node of another cluster, and the ring of that version if it has one. */
  foreignDisk(random: SeededRandom, ringVersion: number | undefined): MachineDisk {
    const disk = this.#disk(random);
    const process = new SimProcess(this.scheduler, "elsewhere");
    const mounted = disk.mount(process, new SimClock(process, random));
    mounted.makeFolder(FOLDER);
    const settings = settingsOf(this.plan.config);
    const identity = { ...newIdentity(random, "another cluster", settings), incarnation: 1 };
    replaceFileNow(mounted, FOLDER, MANIFEST_NAME, encodeManifest(EMPTY_MANIFEST));
    writeIdentity(mounted, FOLDER, identity);
    if (ringVersion !== undefined) {
      const ring = createRing(settings, "another cluster", "master", "nonce", this.plan.config);
      const seat = {
        ref: { id: identity.nodeId, incarnation: 1 },
        address: "elsewhere:1",
        label: 0,
        leaving: false,
      };
      const text = ringToJson(withNode({ ...ring, version: ringVersion }, seat));
      replaceFileNow(mounted, FOLDER, "ring.json", new TextEncoder().encode(text));
    }
    mounted.syncFolder(FOLDER);
    return disk;
  }

  /** Ends all trouble and starts whatever does not run. */
  calmDown(): void {
    this.trace("calm from here on");
    this.network.healAll();
    Object.assign(this.network.settings, CALM);
    Object.assign(this.ensemble.settings, { lossBefore: 0, lossAfter: 0 });
    for (const machine of this.machines) {
      machine.resume();
      // One with the folder of another cluster gets its own back before.
      if (!machine.borrows) machine.start();
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

  #node(name: string, host: string, role: "data" | "standby"): Machine<DataNode> {
    const random = this.random.fork(name);
    const disk = this.#disk(random.fork("disk"));
    // A node that the master does not take in has come too late: its share of the slots has been written.
    const mayRestart = (error: Error | undefined) => !/does not take this node in/.test(error?.message ?? "");
    return new Machine(this.#surroundings(), name, random, disk, (world, coordinator, machine) => {
      const port = machine.random.chance(0.5) ? 7000 : 0;
      const options = { world, coordinator, config: this.plan.config, folder: FOLDER };
      return new DataNode({ ...options, address: `${host}:${port}`, ...{ role } });
    }, mayRestart);
  }

  #disk(random: SeededRandom): MachineDisk {
    return new MachineDisk(random, this.plan.slowDisks, (what) => this.count(what));
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
    const { clockSkew, timerLateMsMax } = this.plan;
    const said: Surroundings["said"] = (...words) => this.#said(...words);
    return { scheduler, network, ensemble, trace, count, violated, dying, said, clockSkew, timerLateMsMax };
  }

  #said(machine: string, level: string, text: string): void {
    this.listeners.said?.(machine, level, text);
    if (/copies of a slot are the same/.test(text)) this.count("copies compared");
    if (!this.spoils && FALSE_ALARM.test(text)) this.violated(`${machine}: false alarm: ${text}`);
  }

  #invariants(): Invariants {
    const { msn, minInSync } = this.plan.config;
    const violated = (what: string) => this.violated(what);
    const invariants = new Invariants(this.rings, {
      tell: (...words) => this.listeners.owner?.(...words),
      msn,
      minInSync,
      violated,
      count: (what) => this.count(what),
    });
    this.history.onAnswer = (key, answer) => {
      if (!("version" in answer) || answer.version === 0) return;
      invariants.acknowledged(this.slotOf(key), answer.version, answer.kind === "written");
    };
    return invariants;
  }

  #look(process: SimProcess | undefined): void {
    if (process === undefined) return;
    const machine = this.#nodeMachines.get(process.name);
    const live = machine?.process === process ? liveNode(machine) : undefined;
    if (machine === undefined || live === undefined || live.node.replica(0) === undefined) return;
    if (!this.#ids.has(machine) && !machine.borrows) this.#ids.set(machine, live.node.self.id);
    this.invariants.look(live);
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
