import type {
  Heartbeat,
  HeartbeatReply,
  ReplicateBatch,
  ReplicateReply,
  SlotPosition,
  SlotRefusal,
} from "../../proto/gen/kv/v1/cluster.ts";
import { KvError } from "../platform/errors.ts";
import type { Incoming, Outgoing } from "../platform/ports.ts";
import { type NodeRef, sameRef } from "../ring/ring.ts";
import type { Engine } from "../storage/engine.ts";
import { recordsOf } from "./batch.ts";
import type { CatchingUp } from "./catching_up.ts";
import type { Promises } from "./promises.ts";
import type { OwnerStream, Replicas } from "./replicas.ts";

export interface ReplicaStreamParts {
  readonly self: NodeRef;
  readonly engine: Engine;
  readonly promises: Promises;
  readonly replicas: Replicas;
  /** The owner process was heard. */
  readonly heard: (from: NodeRef) => void;
  /** What is on its way from there. */
  readonly transfers: CatchingUp;
  /** Its stream broke. */
  readonly broken: (from: NodeRef) => void;
}

/** The follower's end of a stream from one process that owns slots. */
export class ReplicaStream implements Incoming<ReplicateBatch>, OwnerStream {
  #from: NodeRef | undefined;
  #refusals: SlotRefusal[] = [];
  #positions: SlotPosition[] = [];
  #synced = 0;
  #flushing = false;
  #closed = false;

  constructor(
    private readonly parts: ReplicaStreamParts,
    private readonly outgoing: Outgoing<ReplicateReply>,
  ) {}

  message(batch: ReplicateBatch): void {
    const { promises, replicas, heard } = this.parts;
    if (batch.from !== undefined) this.#greet(batch.from, batch.to);
    if (this.#from === undefined) {
      throw new KvError("invalid", "a stream of records begins with who sends it");
    }
    if (promises.promiseMs === 0) throw new KvError("unavailable", "this node has not seen a ring yet");
    heard(this.#from);
    if (batch.heartbeat !== undefined) this.#heartbeat(batch.heartbeat);
    for (const { slot, epoch } of batch.queries) this.#query(slot, epoch);
    for (const begin of batch.begins) replicas.begin(this, begin);
    if (batch.mismatch !== undefined) replicas.mismatched(this, batch.mismatch);
    if (batch.number > 0) this.#records(batch);
  }

  refuse(slot: number, reason: string): void {
    if (this.#refusals.some((refusal) => refusal.slot === slot)) return;
    this.#refusals.push({ slot, epoch: this.parts.promises.highest(slot), reason });
    this.#flushSoon();
  }

  ended(): void {
    this.parts.replicas.ended(this);
    this.#from = undefined;
    this.outgoing.end();
  }

  closed(): void {
    this.#closed = true;
    this.parts.replicas.ended(this);
    if (this.#from === undefined) return;
    this.parts.transfers.lost(this.#from.id);
    this.parts.broken(this.#from);
  }

  #greet(from: NodeRef, to: NodeRef | undefined): void {
    if (!sameRef(to, this.parts.self)) {
      const { id, incarnation } = this.parts.self;
      throw new KvError(
        "refused",
        `meant for ${to?.id} ${to?.incarnation}, but this is ${id} ${incarnation}`,
      );
    }
    this.#from = from;
  }

  #heartbeat({ number, slots, epochs, committedLsns, comparedSlot, transfer }: Heartbeat): void {
    const { promises, replicas, transfers } = this.parts;
    transfers.heard(this.#from!.id, transfer);
    const heartbeat: HeartbeatReply = {
      number,
      refusedSlots: [],
      refusedEpochs: [],
      releasedSlots: [],
      digest: undefined,
    };
    for (const [i, slot] of slots.entries()) {
      const epoch = epochs[i]!;
      if (replicas.accept(slot, epoch)) {
        promises.promise(slot);
        if (promises.wasEntitledBefore(slot, epoch)) heartbeat.releasedSlots.push(slot);
        replicas.committed(this, slot, epoch, committedLsns[i]!);
        if (slot === comparedSlot) heartbeat.digest = replicas.digest(this, slot, epoch);
      } else {
        heartbeat.refusedSlots.push(slot);
        heartbeat.refusedEpochs.push(promises.highest(slot));
      }
    }
    this.#flush(heartbeat);
  }

  #query(slot: number, epoch: number): void {
    const { replicas } = this.parts;
    if (!replicas.accept(slot, epoch)) return this.refuse(slot, "a later owner is known");
    replicas.query(this, slot, epoch, (position) => {
      this.#positions.push(position);
      this.#flushSoon();
    });
  }

  #records({ number, records, committedSlots, committedLsns }: ReplicateBatch): void {
    const { engine, promises, replicas } = this.parts;
    for (const record of recordsOf(records)) replicas.append(this, record);
    engine.whenSynced(() => {
      this.#synced = number;
      this.#flushSoon();
    });
    for (const [i, slot] of committedSlots.entries()) {
      replicas.committed(this, slot, promises.highest(slot), committedLsns[i]!);
    }
  }

  #flushSoon(): void {
    if (this.#flushing) return;
    this.#flushing = true;
    queueMicrotask(() => this.#flush(undefined));
  }

  #flush(heartbeat: HeartbeatReply | undefined): void {
    this.#flushing = false;
    if (this.#closed) return;
    const reply = {
      heartbeat,
      positions: this.#positions,
      synced: this.#synced,
      refusals: this.#refusals,
    };
    if (
      heartbeat === undefined && reply.synced === 0 && reply.positions.length + reply.refusals.length === 0
    ) return;
    this.#positions = [];
    this.#refusals = [];
    this.#synced = 0;
    this.outgoing.send(reply);
  }
}
