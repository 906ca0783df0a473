import type { DataNode } from "../../../core/cluster/data_node.ts";
import { pathsBelow } from "../../../core/cluster/paths.ts";
import type { Ring, SlotEntry } from "../../../core/ring/ring.ts";
import { Cluster } from "../cluster.ts";
import { differences } from "../convergence.ts";
import { checkHistory } from "../history.ts";
import type { Machine, Program } from "../machine.ts";
import { quietPlan } from "../quiet_plan.ts";
import { SeededRandom } from "../world/random.ts";
import { FIRST_STEPS, FURTHER_STEPS, Sendings, type Step } from "./steps.ts";

export type Kind = keyof typeof FIRST_STEPS;

export type Participant = "source" | "target" | "standby" | "active master" | "ZooKeeper";

/** Ended as by a crash and started again, held up as by SIGSTOP, or out of everybody's reach. */
export type Blow = "killed" | "stopped" | "cut off";

/** For each kind: the data nodes, those among them that a slot goes from and to, and which slot. At 13 seats. */
const CASTS = {
  // Label 6 comes to label 0, and gets the slots 4 to 9.
  join: { dataNodes: 2, source: 0, target: 1, slot: 6 },
  leave: { dataNodes: 2, source: 1, target: 0, slot: 6 },
  // The labels 0, 6 and 9 have 6, 4 and 3 slots: one moves.
  rebalance: { dataNodes: 3, source: 0, target: 2, slot: 11 },
} as const;

const VALUE_BYTES = 100_000;
/** Large values: the snapshot of the slot has several parts. */
const LARGE_KEYS = 5;
const ROOT = "/kv";
const WITHIN_MS = 60_000;
const OPERATION_MS_MAX = 30_000;
const THINK_MS = 20;
const ASK_AGAIN_MS = 200;

export function stepsOf(kind: Kind): readonly Step[] {
  return [...FIRST_STEPS[kind], ...FURTHER_STEPS];
}

/** One transfer in a small cluster under load, without any chance trouble, in which somebody may be struck at a step. */
export class Transfer {
  readonly cluster: Cluster;
  readonly source: Machine<DataNode>;
  readonly target: Machine<DataNode>;
  readonly slot: number;
  readonly sendings: Sendings;
  /** What the longest operation of the load took. */
  longestMs = 0;
  readonly #keys: readonly string[];
  #loaded = true;
  /** They survive their processes. */
  #sourceId: string | undefined;
  #targetId: string | undefined;

  constructor(readonly kind: Kind, seed: number) {
    const { dataNodes, source, target, slot } = CASTS[kind];
    this.cluster = new Cluster(
      quietPlan({ dataNodes, config: { transferBytesPerSecond: 5_000_000 } }),
      new SeededRandom(seed),
    );
    this.source = this.cluster.dataNodes[source]!;
    this.target = this.cluster.dataNodes[target]!;
    this.slot = slot;
    this.sendings = new Sendings(slot, this.source.name, this.target.name);
    this.cluster.network.onMessage = (sent) => this.sendings.note(sent, this.targetId);
    const names = Array.from({ length: 200 }, (_, i) => `key${i}`);
    const inSlot = names.filter((key) => this.cluster.slotOf(key) === slot).slice(0, LARGE_KEYS + 1);
    const elsewhere = names.filter((key) => this.cluster.slotOf(key) !== slot).slice(0, 20);
    this.#keys = [...inSlot, ...elsewhere];
  }

  get ring(): Ring {
    return this.cluster.rings.ring!;
  }

  get entry(): SlotEntry {
    return this.ring.slots[this.slot]!;
  }

  get sourceId(): string | undefined {
    return this.#sourceId ??= idOf(this.source);
  }

  get targetId(): string | undefined {
    return this.#targetId ??= idOf(this.target);
  }

  readonly isRegistered = (who: "source" | "target"): boolean => {
    const { ensemble } = this.cluster;
    const id = who === "source" ? this.sourceId : this.targetId;
    const folder = pathsBelow(ROOT).dataNodes;
    const contents = (ensemble.truth.children(folder) ?? []).map((name) =>
      ensemble.truth.read(`${folder}/${name}`)
    );
    return id !== undefined && contents.some((found) => found?.data.includes(id));
  };

  /** The cluster as it is before the transfer, with a value for each key. */
  async prepare(): Promise<void> {
    const { masters, dataNodes, standbys, clients } = this.cluster;
    const [first, ...others] = masters;
    first!.start();
    await this.#until("the first master is active", () => first!.program?.active ?? false);
    for (const machine of [...others, ...clients]) machine.start();
    const there = this.kind === "join" ? dataNodes.filter((machine) => machine !== this.target) : dataNodes;
    for (const machine of there) await this.#startOne(machine);
    await this.#inPlace();
    for (const [i, key] of this.#keys.entries()) {
      await this.#operate(key, "put", i < LARGE_KEYS ? VALUE_BYTES : 0);
    }
    if (this.kind === "leave") {
      // The target owned the slot once, and would get what it lacks from the source's memory.
      this.source.kill("process");
      await this.#startOne(this.source);
    }
    for (const machine of standbys) await this.#startOne(machine);
    await this.#inPlace();
    void this.#load();
  }

  async #startOne(machine: Machine<Program>): Promise<void> {
    machine.start();
    await this.#until(`${machine.name} is ready`, () => machine.ready);
  }

  begin(): void {
    if (this.kind === "join") this.target.start();
    if (this.kind === "leave") {
      this.source.retired = true;
      void this.source.program!.leave();
    }
    if (this.kind === "rebalance") void this.#askForEvenShares();
  }

  /** Again, as an operator would, until a master has taken it. */
  async #askForEvenShares(): Promise<void> {
    const { client, world } = this.#client;
    while (await client.admin.rebalance(false).catch(() => undefined) === undefined) {
      await world.clock.sleep(ASK_AGAIN_MS);
    }
  }

  reach({ name, reached }: Step): Promise<void> {
    return this.#until(`step "${name}"`, () => reached(this));
  }

  /** Strikes the participant, and lets it come back. An ensemble that answers nobody is all the same to everybody. */
  strike(participant: Participant, blow: Blow, backAfterMs: number): void {
    const { ensemble, scheduler } = this.cluster;
    if (participant === "ZooKeeper") {
      ensemble.outage(true);
      scheduler.after(backAfterMs, () => ensemble.outage(false));
      return;
    }
    const machine = this.#machineOf(participant);
    if (!machine?.alive) throw new Error(`${participant} does not run`);
    if (blow === "killed") {
      machine.kill("process");
      machine.retired = false;
      machine.startIn(backAfterMs);
    } else if (blow === "stopped") {
      machine.pause();
      scheduler.after(backAfterMs, () => machine.resume());
    } else {
      this.#cutOff(machine.name, true);
      scheduler.after(backAfterMs, () => this.#cutOff(machine.name, false));
    }
  }

  #machineOf(participant: Exclude<Participant, "ZooKeeper">): Machine<Program> | undefined {
    const { masters, standbys } = this.cluster;
    return {
      "source": this.source,
      "target": this.target,
      "standby": standbys[0],
      "active master": masters.find(({ program }) => program?.active),
    }[participant];
  }

  #cutOff(name: string, on: boolean): void {
    const { network, ensemble, names } = this.cluster;
    ensemble.cut(name, on);
    for (const other of names) {
      if (other === name) continue;
      for (const [from, to] of [[name, other], [other, name]] as const) {
        if (on) network.cut(from, to);
        else network.heal(from, to);
      }
    }
  }

  /** Resolves when all is in its place again; rejects with what is wrong. */
  async end(): Promise<void> {
    const { cluster } = this;
    await this.#inPlace();
    this.#loaded = false;
    for (const key of this.#keys) await this.#operate(key, "get");
    const { violations, gaveUp } = checkHistory(cluster.history, () => false);
    const problems = [...cluster.violations, ...violations, ...gaveUp];
    if (problems.length > 0) throw new Error(problems[0]);
  }

  #inPlace(): Promise<void> {
    return this.#until(
      "all is in its place",
      () => this.#lacks().length === 0,
      () => this.#lacks().join("; "),
    );
  }

  /** What is not yet as it should be. */
  #lacks(): string[] {
    const { masters, nodes } = this.cluster;
    const listed = [...this.ring.nodes, ...this.ring.standbys].map(({ ref }) => ref.id);
    const isUp = (machine: Machine<DataNode>) => machine.ready && listed.includes(idOf(machine) ?? "");
    const wanted = nodes.filter((machine) => !machine.retired && machine.starts > 0);
    const missing: Machine<Program>[] = [
      ...masters.filter(({ ready }) => !ready),
      ...wanted.filter((machine) => !isUp(machine)),
    ];
    const stays = this.source.retired && (this.source.alive || listed.includes(this.sourceId!));
    return [
      ...missing.map(({ name }) => `${name} is not there`),
      ...(stays ? [`${this.source.name} has not left`] : []),
      ...differences(this.cluster),
    ];
  }

  get #client() {
    return this.cluster.clients[0]!.program!;
  }

  async #load(): Promise<void> {
    const client = this.#client;
    const keys = this.#keys.slice(LARGE_KEYS, LARGE_KEYS + 4);
    for (let i = 0; this.#loaded; i++) {
      const startMs = this.cluster.scheduler.nowMs;
      await this.#ask(keys[i % keys.length]!, i % 3 === 0 ? "get" : "put");
      this.longestMs = Math.max(this.longestMs, this.cluster.scheduler.nowMs - startMs);
      await client.world.clock.sleep(THINK_MS);
    }
  }

  async #ask(key: string, kind: "get" | "put", bytes = 0): Promise<void> {
    const request = kind === "get" ? { kind } : { kind, value: this.#client.value().padEnd(bytes, ".") };
    await this.#client.operate(key, request, OPERATION_MS_MAX);
  }

  async #operate(key: string, kind: "get" | "put", bytes = 0): Promise<void> {
    let answered = false;
    void this.#ask(key, kind, bytes).then(() => answered = true);
    await this.#until(`${kind} ${key} is answered`, () => answered);
  }

  async #until(what: string, done: () => boolean, why: () => string = () => ""): Promise<void> {
    const { scheduler, violations } = this.cluster;
    const untilMs = scheduler.nowMs + WITHIN_MS;
    await scheduler.runUntil(() => violations.length > 0 || done(), untilMs);
    if (violations.length > 0) throw new Error(violations[0]);
    if (!done()) throw new Error(`not within ${WITHIN_MS} ms: ${what}: ${why()}`);
  }
}

function idOf({ program }: Machine<DataNode>): string | undefined {
  return program?.replica(0) === undefined ? undefined : program.self.id;
}
