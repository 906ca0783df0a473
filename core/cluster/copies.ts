import type { FollowerStatus, MismatchStatus } from "../../proto/gen/kv/v1/kv.ts";
import type { Config } from "../platform/config.ts";
import type { Services, World } from "../platform/ports.ts";
import { CatchingUp } from "../replication/catching_up.ts";
import { Leftovers } from "../replication/leftovers.ts";
import { letGo } from "../replication/letting_go.ts";
import { OwnerWatch } from "../replication/owner_watch.ts";
import { Promises } from "../replication/promises.ts";
import { RecentRecords } from "../replication/recent_records.ts";
import { Replicas } from "../replication/replicas.ts";
import { ReplicaStream } from "../replication/replica_stream.ts";
import { Replicator } from "../replication/replicator.ts";
import { Uncommitted } from "../replication/uncommitted.ts";
import type { NodeRef, Ring } from "../ring/ring.ts";
import { cluster } from "../rpc/methods.ts";
import type { Engine, SlotView } from "../storage/engine.ts";
import { MasterCalls } from "./master_calls.ts";
import type { RingKeeper } from "./ring_keeper.ts";
import { SlotTable } from "./slot_table.ts";

/** Records that are kept in memory for followers that lack a little. */
const RECENT_BYTES_MAX = 16 << 20;

/** One slot of a node, for checkers. */
export interface ReplicaView {
  readonly log: SlotView;
  /** The highest epoch known: what is below is refused. */
  readonly highestEpoch: number;
  /** By the monotonic clock: until then this node has promised not to serve the slot. */
  readonly notBeforeMs: number;
  /** There while this process takes itself for the owner. */
  readonly owner: {
    readonly epoch: number;
    readonly isrSeq: number;
    readonly effectiveIsr: readonly NodeRef[];
    readonly startLsn: number;
    readonly canAnswer: boolean;
  } | undefined;
}

/** The slots of a node: those that it owns, and those that it copies for others. */
export class Copies {
  readonly slots: SlotTable;
  readonly promises: Promises;
  readonly replicas: Replicas;
  readonly leftovers: Leftovers;
  readonly #replicator: Replicator;
  readonly #watch: OwnerWatch;
  readonly #transfers: CatchingUp;

  constructor(
    private readonly engine: Engine,
    private readonly self: NodeRef,
    msn: number,
    rings: RingKeeper,
    config: Config,
    private readonly world: World,
    /** Told when a slot has begun to be served. */
    began: () => void,
  ) {
    const { clock, random, transport, log } = world;
    const master = new MasterCalls(transport, rings, self);
    const lastEpochs = Array.from({ length: msn }, (_, slot) => engine.slot(slot).lastEpoch);
    const promises = this.promises = new Promises(clock, lastEpochs);
    const shared = { self, engine, clock, promises, log };
    const ring = () => rings.ring;
    const deposed = (slot: number, epoch: number) => this.slots.deposed(slot, epoch);
    this.replicas = new Replicas({ ...shared, ring, deposed });
    this.#replicator = new Replicator({
      ...shared,
      random,
      transport,
      transferBytesPerSecond: config.transferBytesPerSecond,
      compareEveryMs: config.compareEveryMs,
      lagMsMax: config.lagMsMax,
      // Through the table of what is known: also what this node has promised follows from it.
      deposed: (owner, epoch) => this.replicas.accept(owner.slot, epoch),
      propose: (proposals) => master.propose(proposals),
    });
    const { clientsMax, minInSync } = config;
    const recent = new RecentRecords(RECENT_BYTES_MAX);
    const uncommitted = new Uncommitted(config.pendingBytesMax);
    const { replicas } = this;
    const replicator = this.#replicator;
    this.slots = new SlotTable({
      ...shared,
      msn,
      recent,
      uncommitted,
      clientsMax,
      minInSync,
      replicas,
      replicator,
      began,
    });
    this.#transfers = new CatchingUp(clock, log);
    this.leftovers = new Leftovers({ ...shared, transport, replicas, ring });
    this.#watch = new OwnerWatch(clock, self, ring, (ref) => master.suspect(ref, true));
  }

  bind(services: Services): void {
    const { engine, self, promises, replicas } = this;
    const heard = (from: NodeRef) => this.#watch.heard(from);
    const broken = (from: NodeRef) => this.#watch.broken(from);
    const parts = { self, engine, promises, replicas, transfers: this.#transfers, heard, broken };
    services.stream(cluster.replicate, (replies) => new ReplicaStream(parts, replies));
    const owner = (slot: number) => this.slots.owner(slot);
    services.unary(cluster.letGo, (request) => letGo({ self, engine, log: this.world.log, owner }, request));
  }

  view(slot: number): ReplicaView {
    const owner = this.slots.owner(slot);
    return {
      log: this.engine.slot(slot),
      highestEpoch: this.promises.highest(slot),
      notBeforeMs: this.promises.notBeforeMs(slot),
      owner: owner === undefined || owner.state === "closed" ? undefined : {
        epoch: owner.epoch,
        isrSeq: owner.inSync.isrSeq,
        effectiveIsr: owner.inSync.members,
        startLsn: owner.startLsn,
        canAnswer: owner.canAnswer,
      },
    };
  }

  /** Who copies the slots that this node owns. */
  followers(): FollowerStatus[] {
    return this.#replicator.followers();
  }

  /** Copies of them that were found not to be the same. */
  mismatches(): MismatchStatus[] {
    return this.#replicator.mismatches();
  }

  /** Takes up a newer ring. */
  adopt(ring: Ring): void {
    this.promises.learn(ring.promiseMs);
    this.slots.adopt(ring);
  }

  stop(): void {
    this.leftovers.stop();
    this.slots.salvages.stop();
    this.#watch.stop();
    this.#replicator.stop();
  }
}
