/** Masters in the simulated world, with nodes that register and answer as told, and store nothing. */

import { type LeaveRequest, Proposal, ProposalKind } from "../../proto/gen/kv/v1/cluster.ts";
import { Master } from "../../core/cluster/master.ts";
import { Membership } from "../../core/cluster/membership.ts";
import { pathsBelow } from "../../core/cluster/paths.ts";
import { RingKeeper } from "../../core/cluster/ring_keeper.ts";
import type { NodeRole } from "../../core/cluster/role.ts";
import { SessionKeeper } from "../../core/cluster/session_keeper.ts";
import { type Config, defaultConfig } from "../../core/platform/config.ts";
import { KvError } from "../../core/platform/errors.ts";
import type { Address, World } from "../../core/platform/ports.ts";
import { ringFromJson, ringFromMessage, ringToMessage } from "../../core/ring/document.ts";
import { type NodeRef, type Ring, sameRef } from "../../core/ring/ring.ts";
import { cluster, routing } from "../../core/rpc/methods.ts";
import { Machine, type Program, type Surroundings } from "../sim/machine.ts";
import type { SimCoordinator } from "../sim/world/coordinator.ts";
import { SimEnsemble } from "../sim/world/ensemble.ts";
import { SimNetwork } from "../sim/world/network.ts";
import { SeededRandom } from "../sim/world/random.ts";
import { Scheduler } from "../sim/world/scheduler.ts";
import type { Listening } from "../sim/world/transport.ts";

const CONFIG: Config = { ...defaultConfig(), msn: 13 };
export const PATHS = pathsBelow(CONFIG.root);

/** Registers, takes rings, answers Inspect. */
export class FakeNode implements Program {
  readonly stopped = new Promise<undefined>(() => {});
  readonly rings = new RingKeeper();
  readonly ref: NodeRef;
  membership!: Membership;
  stuck = false;

  constructor(
    readonly id: string,
    readonly role: NodeRole,
    readonly address: Address,
    incarnation: number,
    readonly world: World,
    readonly coordinator: SimCoordinator,
  ) {
    this.ref = { id, incarnation };
  }

  async start(): Promise<void> {
    const { clock, random, log, transport } = this.world;
    await transport.listen(this.address, (services) => {
      services.unary(cluster.offerRing, (message) => {
        this.rings.offer(ringFromMessage(message));
        return { ringVersion: this.rings.version };
      });
      services.unary(cluster.inspect, ({ node }) => {
        if (!sameRef(node, this.ref)) throw new KvError("refused", "another process");
        const { version: ringVersion, ring } = this.rings;
        const { nonce: ringNonce = "", clusterId = "" } = ring ?? {};
        return { stuck: this.stuck, unusable: [], ringVersion, ringNonce, clusterId, notServed: [] };
      });
      services.unary(routing.getRing, () => ringToMessage(this.rings.ring!));
    });
    const { address, role, rings, ref: self } = this;
    const noWay = (reason: unknown) => Promise.reject(reason);
    this.membership = new Membership({
      ...{ clock, random, log, paths: PATHS, address, self, role, rings },
      refused: noWay,
      unreadable: noWay,
    });
    new SessionKeeper(this.coordinator, clock, random, log, this.membership).start();
  }

  stop(): Promise<void> {
    return Promise.resolve();
  }

  /** Proposes to the master that wrote the ring it knows. */
  async propose(kind: ProposalKind, node: NodeRef, slots: readonly number[]): Promise<Ring> {
    const ring = this.rings.ring!;
    const proposals = slots.map((slot) => {
      const { epoch, isrSeq } = ring.slots[slot]!;
      return Proposal.fromPartial({ slot, epoch, isrSeq, kind, node });
    });
    const request = { owner: this.ref, proposals };
    return ringFromMessage(await this.world.transport.call(ring.writer, cluster.propose, request, 1000));
  }

  async leave(request: LeaveRequest = { node: this.ref }): Promise<Ring> {
    const { writer } = this.rings.ring!;
    return ringFromMessage(await this.world.transport.call(writer, cluster.leave, request, 1000));
  }
}

export class MasterWorld {
  readonly random: SeededRandom;
  readonly scheduler: Scheduler;
  readonly network: SimNetwork<Listening>;
  readonly ensemble: SimEnsemble;
  readonly masters: Machine<Master>[] = [];
  readonly nodes = new Map<string, Machine<FakeNode>>();
  readonly troubles: string[] = [];

  constructor(seed: number) {
    this.random = new SeededRandom(seed);
    this.scheduler = new Scheduler(this.random.fork("order"));
    this.scheduler.onError = (error) => void this.troubles.push(String((error as Error).stack));
    this.network = new SimNetwork(this.scheduler, this.random.fork("network"));
    this.ensemble = new SimEnsemble(this.scheduler, this.random.fork("coordinator"));
  }

  addMaster(): Machine<Master> {
    const number = this.masters.length + 1;
    const address = `10.0.1.${number}:9666`;
    const machine = new Machine<Master>(
      this.#surroundings,
      `master${number}`,
      this.random.fork(`master${number}`),
      undefined,
      (world, coordinator) => new Master({ world, coordinator, config: CONFIG, address }),
    );
    this.masters.push(machine);
    machine.startIn(0);
    return machine;
  }

  /** A new node, running. Started again, it is the same node in a higher incarnation. */
  addNode(id: string, role: NodeRole): Machine<FakeNode> {
    const machine = new Machine<FakeNode>(
      this.#surroundings,
      id,
      this.random.fork(id),
      undefined,
      (world, coordinator, { starts }) =>
        new FakeNode(id, role, `10.0.2.${id}:${7000 + starts}`, starts, world, coordinator),
    );
    this.nodes.set(id, machine);
    machine.startIn(0);
    return machine;
  }

  program(id: string): FakeNode {
    return this.nodes.get(id)!.program!;
  }

  /** The ring as the coordinator has it. */
  get ring(): Ring | undefined {
    const found = this.ensemble.truth.read(PATHS.ring);
    return found && ringFromJson(found.data);
  }

  /** Lets the world run until it is so; returns after how many milliseconds. */
  async until(what: string, done: () => boolean, withinMs = 20_000): Promise<number> {
    const { scheduler } = this;
    const startMs = scheduler.nowMs;
    if (!await scheduler.runUntil(done, startMs + withinMs)) {
      throw new Error(`never: ${what}; ${this.troubles.join("\n")}`);
    }
    if (this.troubles.length > 0) throw new Error(this.troubles.join("\n"));
    return scheduler.nowMs - startMs;
  }

  runMs(durationMs: number): Promise<number> {
    let over = false;
    this.scheduler.after(durationMs, () => over = true);
    return this.until("time passes", () => over, durationMs + 1);
  }

  /** Lets the world run until the promise is settled. */
  async wait<T>(promise: Promise<T>): Promise<T> {
    let settled = false;
    promise.then(() => settled = true, () => settled = true);
    await this.until("an answer", () => settled);
    return await promise;
  }

  get #surroundings(): Surroundings {
    const { scheduler, network, ensemble } = this;
    const violated = (what: string) => void this.troubles.push(what);
    return {
      scheduler,
      network,
      ensemble,
      trace: () => {},
      count: () => {},
      violated,
      dying: () => {},
      said: () => {},
      clockSkew: 0,
      timerLateMsMax: 0,
    };
  }
}
