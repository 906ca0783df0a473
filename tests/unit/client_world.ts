/** A simulated network with scripted masters and data nodes, for the tests of the client library. */

import { Operation, OperationBatch, OperationKind, Outcome, Reply } from "../../proto/gen/kv/v1/kv.ts";
import type { DumpEntry, ReplyBatch } from "../../proto/gen/kv/v1/kv.ts";
import type { Ring as RingMessage } from "../../proto/gen/kv/v1/ring.ts";
import type { Client, ConnectOptions } from "../../core/client/api.ts";
import { connect } from "../../core/client/client.ts";
import { type ErrorCode, KvError } from "../../core/platform/errors.ts";
import type { Address, Log, Outgoing, Services, Transport } from "../../core/platform/ports.ts";
import { createRing, ringToMessage } from "../../core/ring/document.ts";
import { fnv1a32 } from "../../core/ring/hash.ts";
import type { Ring, RingNode } from "../../core/ring/ring.ts";
import { errorToDetail } from "../../core/rpc/errors.ts";
import { kv, routing } from "../../core/rpc/methods.ts";
import { SimClock } from "../sim/world/clock.ts";
import { SimNetwork } from "../sim/world/network.ts";
import { SeededRandom } from "../sim/world/random.ts";
import { Scheduler, SimProcess } from "../sim/world/scheduler.ts";
import { type Listening, SimTransport } from "../sim/world/transport.ts";

export const MSN = 13;
const CLUSTER = "c1";

/** A ring in which slot s is owned by `owner(s)`. */
export function ringOf(
  version: number,
  nodes: RingNode[],
  owner: (slot: number) => RingNode | undefined,
  clusterId = CLUSTER,
): Ring {
  const slots = Array.from({ length: MSN }, (_, slot) => {
    const ref = owner(slot)?.ref;
    return { owner: ref, epoch: ref ? version : 0, isr: ref ? [ref] : [], isrSeq: ref ? version : 0 };
  });
  const settings = { msn: MSN, hash: "fnv1a32", levels: 2 } as const;
  const base = createRing(settings, clusterId, "m1", `${version}`);
  return { ...base, version, nodes: [...nodes], slots };
}

export function slotOf(key: string): number {
  return fnv1a32(new TextEncoder().encode(key)) % MSN;
}

export function text(bytes: Uint8Array | undefined): string {
  return new TextDecoder().decode(bytes);
}

/** What a scripted node does with an operation: answers, stays silent, or breaks the stream. */
export type Action = Partial<Reply> | ErrorCode | KvError | "silence" | "break";

export class World {
  readonly scheduler = new Scheduler(new SeededRandom("scheduler"));
  readonly network = new SimNetwork<Listening>(this.scheduler, new SeededRandom("network"));
  readonly logged: string[] = [];
  readonly clients: Client[] = [];

  constructor() {
    Object.assign(this.network.settings, { backPressure: 0, latencyTailMs: 0, latencyMsMin: 1 });
  }

  client(masters: Address[], options: Partial<ConnectOptions> = {}): Client {
    const process = new SimProcess(this.scheduler, `client${this.clients.length}`);
    const log: Log = (level, message, fields) =>
      void this.logged.push(`${level} ${message} ${JSON.stringify(fields)}`);
    const client = connect({
      masters,
      clock: new SimClock(process, new SeededRandom("clock")),
      random: new SeededRandom(process.name),
      transport: this.transport(process),
      log,
      ...options,
    });
    this.clients.push(client);
    return client;
  }

  transport(process: SimProcess): Transport {
    return new SimTransport(this.network, process);
  }

  /** Lets the world run until the promise has settled. */
  async run<T>(promise: Promise<T>): Promise<T> {
    let settled = false;
    promise.then(() => settled = true, () => settled = true);
    if (!(await this.scheduler.runUntil(() => settled, this.scheduler.nowMs + 60_000))) {
      throw new Error("the promise did not settle within a minute");
    }
    return promise;
  }

  async runMs(durationMs: number): Promise<void> {
    let over = false;
    this.scheduler.after(durationMs, () => over = true);
    await this.scheduler.runUntil(() => over, Infinity);
  }

  async runUntil(done: () => boolean): Promise<void> {
    if (!(await this.scheduler.runUntil(done, this.scheduler.nowMs + 60_000))) {
      throw new Error("it did not come true within a minute");
    }
  }
}

/** A server of either role: serves the ring it was given, and answers operations as its script says. */
export class Server {
  process: SimProcess;
  ring: RingMessage | undefined;
  /** Message by message, what came. */
  readonly batches: OperationBatch[] = [];
  readonly values = new Map<string, { value: Uint8Array; version: number }>();
  dumpEntries: DumpEntry[] = [];
  dumpFails: KvError | undefined;
  watchFails: KvError | undefined;
  /** What its status says of masters. */
  mastersTold: Address[] = [];
  /** Called for each operation; undefined: really do it. */
  script: (operation: Operation, batch: OperationBatch) => Action | undefined = () => undefined;
  pings = 0;
  watches = 0;
  /** Of operations: all so far, and those that are open. */
  streams = 0;
  openStreams = 0;
  #watchers = new Set<Outgoing<RingMessage>>();
  #version = 0;

  constructor(readonly world: World, readonly node: RingNode, readonly role = "data") {
    this.process = new SimProcess(world.scheduler, node.ref.id);
  }

  async start(): Promise<this> {
    const transport = this.world.transport(this.process);
    await transport.listen(this.node.address, (services) => this.#bind(services));
    return this;
  }

  kill(): void {
    this.process.kill();
    this.#watchers.clear();
    this.world.network.killed(this.process, "process");
  }

  async restart(): Promise<void> {
    this.process = new SimProcess(this.world.scheduler, this.node.ref.id);
    await this.start();
  }

  /** Serves this ring from now on, and sends it to those who watch unless `quietly`. */
  offer(ring: Ring, how: "loudly" | "quietly" = "loudly"): void {
    this.ring = ringToMessage(ring);
    if (how === "loudly") { for (const watcher of this.#watchers) watcher.send(this.ring); }
  }

  get operations(): Operation[] {
    return this.batches.flatMap(({ operations }) => operations);
  }

  #bind(services: Services): void {
    const ringNow = () => {
      if (this.ring === undefined) throw new KvError("unavailable", "no ring yet");
      return this.ring;
    };
    services.unary(routing.getRing, ringNow);
    services.unary(routing.ping, () => {
      this.pings++;
      const ringVersion = 0;
      return {
        role: this.role,
        active: true,
        ringVersion,
        node: this.role === "data" ? this.node.ref : undefined,
      };
    });
    services.unary(routing.status, () => ({
      role: this.role,
      address: this.node.address,
      node: undefined,
      active: true,
      ringVersion: 0,
      coordinator: "connected",
      slots: [],
      uptimeMs: 1,
      version: "0",
      writer: "",
      followers: [],
      minInSync: 1,
      transferBytesPerSecond: 64 << 20,
      masters: this.mastersTold,
      mismatches: [],
      halted: "",
    }));
    services.stream(routing.watchRing, (replies) => {
      this.watches++;
      if (this.watchFails !== undefined) throw this.watchFails;
      this.#watchers.add(replies);
      return {
        message: ({ aboveVersion }) => {
          if (this.ring !== undefined && this.ring.version > aboveVersion) replies.send(this.ring);
        },
        closed: () => this.#watchers.delete(replies),
      };
    });
    services.stream(kv.operate, (replies) => {
      this.streams++;
      this.openStreams++;
      return { message: (batch) => this.#operate(batch, replies), closed: () => void this.openStreams-- };
    });
    services.stream(kv.dump, (replies) => ({
      message: ({ slots }) => {
        if (this.dumpFails !== undefined) return replies.cancel(this.dumpFails);
        replies.send({ entries: this.dumpEntries.filter(({ slot }) => slots.includes(slot)) });
        replies.end();
      },
      closed() {},
    }));
  }

  #operate(batch: OperationBatch, replies: Outgoing<ReplyBatch>): void {
    this.batches.push(batch);
    const answers: Reply[] = [];
    for (const operation of batch.operations) {
      const action = this.script(operation, batch) ?? this.#do(operation);
      if (action === "break") return replies.cancel();
      if (action !== "silence") answers.push(replyOf(operation, action));
    }
    if (answers.length > 0) replies.send({ replies: answers });
  }

  #do({ kind, key, value }: Operation): Action {
    const name = text(key);
    const present = this.values.get(name);
    if (kind === OperationKind.GET) return { found: present !== undefined, ...present };
    if (kind === OperationKind.DELETE) {
      return { outcome: this.values.delete(name) ? Outcome.DELETED : Outcome.NOT_FOUND, epoch: 1 };
    }
    this.values.set(name, { value: value.slice(), version: ++this.#version });
    return { outcome: present ? Outcome.UPDATED : Outcome.CREATED, version: this.#version, epoch: 1 };
  }
}

function replyOf({ id }: Operation, action: Partial<Reply> | ErrorCode | KvError): Reply {
  if (action instanceof KvError) return Reply.fromPartial({ id, error: errorToDetail(action) });
  if (typeof action === "string") {
    return replyOf({ id } as Operation, new KvError(action, `scripted ${action}`));
  }
  return Reply.fromPartial({ id, ...action });
}

export interface Cluster {
  readonly world: World;
  readonly masters: [Server, Server];
  /** Labels 0 and 6. */
  readonly nodes: [Server, Server];
  /** Slots below 7 at the first node, the others at the second. */
  readonly ring: Ring;
  readonly client: Client;
}

/** Two masters, two data nodes and a client that has the ring. */
export async function cluster(options: Partial<ConnectOptions> = {}): Promise<Cluster> {
  const world = new World();
  const server = (id: string, port: number, label: number, role: string) =>
    new Server(
      world,
      { ref: { id, incarnation: 1 }, address: `127.0.0.1:${port}`, label, leaving: false },
      role,
    ).start();
  const masters: [Server, Server] = [
    await server("m1", 9666, 0, "master"),
    await server("m2", 9667, 0, "master"),
  ];
  const nodes: [Server, Server] = [await server("n1", 7001, 0, "data"), await server("n2", 7002, 6, "data")];
  const [a, b] = [nodes[0].node, nodes[1].node];
  const ring = ringOf(1, [a, b], (slot) => slot < 7 ? a : b);
  for (const each of [...masters, ...nodes]) each.offer(ring);
  const client = world.client(masters.map(({ node }) => node.address), options);
  await world.run(client.ring());
  return { world, masters, nodes, ring, client };
}

/** `count` keys of the slots from `low` up to `high`. */
export function keysIn(low: number, high: number, count: number): string[] {
  const keys: string[] = [];
  for (let i = 0; keys.length < count; i++) {
    const slot = slotOf(`key${i}`);
    if (low <= slot && slot <= high) keys.push(`key${i}`);
  }
  return keys;
}

/** A key of the first node, and one of the second. */
export const [KEY_A, KEY_B] = [keysIn(0, 6, 1)[0]!, keysIn(7, 12, 1)[0]!];
