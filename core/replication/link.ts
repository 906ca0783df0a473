import type {
  ReplicateBatch,
  ReplicateReply,
  SlotPosition,
  SlotQuery,
} from "../../proto/gen/kv/v1/cluster.ts";
import { messageOf } from "../platform/errors.ts";
import type { Address, Cancel, Incoming, Log, Outgoing, Random, Transport } from "../platform/ports.ts";
import type { NodeRef } from "../ring/ring.ts";
import { cluster } from "../rpc/methods.ts";
import { BatchWriter, NOTHING } from "./batch.ts";
import type { FollowedSlot } from "./followed_slot.ts";
import { Heartbeats, type HeartbeatsParts } from "./heartbeats.ts";
import { type Mark, SentBatches } from "./sent_batches.ts";
import { SnapshotSender, type TransferProgress } from "./snapshot_sender.ts";
import type { SlotOwner } from "./slot_owner.ts";

/** A batch is sent when it has reached this. */
const BATCH_BYTES = 256 << 10;
/** More than this is not under way unacknowledged, so that a slow follower fills no memory. */
const WINDOW_BYTES = 4 << 20;
/** With so many records committed in a slot the follower is told with the next ones: to apply each by itself costs more. */
const TOLD_EVERY_LSNS = 16;
const REOPEN_MS = 100;
const ASK_AGAIN_MS = 100;
/** A copy that cannot be read does not get better: the slot gets another owner, or is salvaged. */
const UNREADABLE_MS = 1000;

export interface LinkParts extends HeartbeatsParts {
  readonly self: NodeRef;
  readonly random: Random;
  readonly transport: Transport;
  readonly log: Log;
  readonly transferBytesPerSecond: number;
  /** The version of the newest ring known. */
  readonly ringVersion: () => number;
  /** Something changed that may call for a proposal to the master. */
  readonly wake: () => void;
}

/**
 * The way from this process, as the owner of slots, to one process that copies them: one stream, opened again whenever
 * it breaks, while there are slots. Everything about a slot starts anew with the stream: where does your log end, what is
 * missing, records.
 */
export class Link implements Incoming<ReplicateReply> {
  readonly #slots = new Map<number, FollowedSlot>();
  /** Those that may have records to send. */
  readonly #ready = new Set<FollowedSlot>();
  readonly #snapshots: SnapshotSender;
  readonly #writer = new BatchWriter(BATCH_BYTES);
  #outgoing: Outgoing<ReplicateBatch> | undefined;
  #cancelReopen: Cancel | undefined;
  readonly #sent = new SentBatches();
  readonly #heartbeats: Heartbeats;
  #blocked = false;
  #flushing = false;
  #closed = false;

  constructor(private readonly parts: LinkParts, readonly to: NodeRef, readonly address: Address) {
    this.#heartbeats = new Heartbeats(parts);
    this.#snapshots = new SnapshotSender(parts.engine, parts.clock, parts.transferBytesPerSecond, {
      send: (followed, records, begin, endLsn) => this.#sendSnapshot(followed, records, begin, endLsn),
      done: (followed, baseLsn) => this.#snapshotSent(followed, baseLsn),
      unreadable: (followed) => followed.reset(parts.clock.monotonicMs() + UNREADABLE_MS),
    });
    this.#open();
  }

  get slots(): ReadonlyMap<number, FollowedSlot> {
    return this.#slots;
  }

  /** Whole copies that are on their way; undefined while there are none. */
  get transfer(): TransferProgress | undefined {
    return this.#snapshots.progress;
  }

  /** Sends the slot to the follower from now on. */
  follow(followed: FollowedSlot): void {
    this.leave(followed.slot);
    this.#slots.set(followed.slot, followed);
    if (this.#outgoing === undefined && this.#cancelReopen === undefined) this.#open();
    this.#flushSoon();
  }

  leave(slot: number): void {
    const followed = this.#slots.get(slot);
    if (followed === undefined) return;
    followed.reset();
    this.#slots.delete(slot);
    this.#ready.delete(followed);
    this.#snapshots.drop(followed);
  }

  /** Records of the slots were written to the own log; they go out before that is synced. True: some did. */
  written(slots: Iterable<number>): boolean {
    let followed = false;
    for (const slot of slots) {
      const one = this.#slots.get(slot);
      if (one === undefined) continue;
      followed = true;
      if (one.phase === "streaming") this.#ready.add(one);
    }
    if (followed) this.#snapshots.clientWrote();
    return this.#ready.size > 0 && this.#flush();
  }

  /** To be called several times within a promise. `comparedSlot`: of which the follower is to tell the digest. */
  heartbeat(comparedSlot?: number): void {
    this.#beat(comparedSlot);
    this.#askAgain();
  }

  /** The follower's copy of the slot is wrong: it has to give it up. */
  mismatched({ slot, owner: { epoch } }: FollowedSlot, reason: string): void {
    this.#send({ mismatch: { slot, epoch, reason } });
  }

  /** Answers to what was sent so far do not count. */
  voidHeartbeats(): void {
    this.#heartbeats.forget();
    for (const { follower } of this.#slots.values()) follower.askedMs = undefined;
  }

  #beat(comparedSlot?: number): void {
    if (this.#outgoing === undefined || this.#slots.size === 0) return;
    this.#send({ heartbeat: this.#heartbeats.next([...this.#slots.values()], this.transfer, comparedSlot) });
  }

  /** A follower that still counts is not reached by it any more. */
  close(): void {
    this.#closed = true;
    this.#cancelReopen?.();
    this.#down();
    for (const slot of [...this.#slots.keys()]) this.leave(slot);
    this.#outgoing?.end();
  }

  message(reply: ReplicateReply): void {
    if (this.#closed) return;
    for (const { slot, epoch, reason } of reply.refusals) this.#refused(slot, epoch, reason);
    for (const position of reply.positions) this.#positioned(position);
    if (reply.synced > 0) this.#acked(reply.synced);
    if (reply.heartbeat !== undefined) {
      this.#heartbeats.heard(reply.heartbeat, (followed) => this.#slots.get(followed.slot) === followed);
    }
  }

  drained(): void {
    this.#blocked = false;
    this.#flush();
  }

  closed(error: Error | undefined): void {
    if (this.#closed) return;
    const { clock, log, random, wake } = this.parts;
    this.#outgoing = undefined;
    this.#sent.clear();
    this.#heartbeats.forget();
    this.#ready.clear();
    this.#snapshots.clear();
    for (const followed of this.#slots.values()) followed.reset();
    this.#down();
    log("debug", "the stream to a follower broke", { to: this.address, error: messageOf(error) });
    if (this.#slots.size === 0) return;
    this.#cancelReopen = clock.after(REOPEN_MS * (0.5 + random.number()), () => this.#open());
    wake();
  }

  #down(): void {
    const nowMs = this.parts.clock.monotonicMs();
    for (const { follower } of this.#slots.values()) {
      follower.downSinceMs ??= nowMs;
      follower.askedMs = undefined;
    }
  }

  #open(): void {
    this.#cancelReopen = undefined;
    this.#blocked = false;
    const outgoing = this.parts.transport.stream(this.address, cluster.replicate, this);
    this.#outgoing = outgoing;
    this.#send({ from: this.parts.self, to: this.to });
    this.heartbeat();
    this.#flushSoon();
  }

  #send(message: Partial<ReplicateBatch>): void {
    const sent = this.#outgoing?.send({ ...NOTHING, ...message });
    if (sent === false) this.#blocked = true;
  }

  #flushSoon(): void {
    if (this.#flushing) return;
    this.#flushing = true;
    queueMicrotask(() => this.#flush());
  }

  /** Sends what is due, one batch after the other, as long as the stream takes it. True: there were records. */
  #flush(): boolean {
    this.#flushing = false;
    this.#ask();
    let sent = false;
    while (!this.#blocked && this.#outgoing !== undefined && this.#sent.unackedBytes < WINDOW_BYTES) {
      const marks = this.#collect();
      if (marks.length === 0) break;
      this.#sendRecords(this.#writer.take(), marks);
      sent = true;
    }
    return sent;
  }

  #collect(): Mark[] {
    const marks: Mark[] = [];
    for (const followed of this.#ready) {
      const first = followed.nextLsn;
      while (this.#writer.bytes < BATCH_BYTES) {
        const record = followed.next();
        if (record === undefined) break;
        this.#writer.add(record);
        followed.nextLsn++;
      }
      if (followed.nextLsn > first) {
        marks.push({ followed, session: followed.session, lsn: followed.nextLsn - 1 });
      }
      this.#ready.delete(followed);
      if (this.#writer.bytes >= BATCH_BYTES) {
        // Behind the others: one slot that always has more to send must not keep them waiting.
        this.#ready.add(followed);
        break;
      }
      if (followed.fallenBehind) followed.reset();
    }
    return marks;
  }

  #sendRecords(records: Uint8Array, marks: readonly Mark[]): void {
    const number = this.#sent.add(records.length, marks, false);
    const committedSlots: number[] = [];
    const committedLsns: number[] = [];
    for (const { followed } of marks) {
      const { committedLsn } = this.parts.engine.slot(followed.slot);
      if (committedLsn < followed.toldLsn + TOLD_EVERY_LSNS) continue;
      followed.toldLsn = committedLsn;
      committedSlots.push(followed.slot);
      committedLsns.push(committedLsn);
    }
    this.#send({ number, records, committedSlots, committedLsns });
  }

  /** Asks for the positions of slots that are idle. */
  #ask(): void {
    if (this.#outgoing === undefined) return;
    const nowMs = this.parts.clock.monotonicMs();
    const queries: SlotQuery[] = [];
    for (const followed of this.#slots.values()) {
      if (followed.phase !== "idle" || nowMs < followed.retryAtMs) continue;
      followed.phase = "asked";
      queries.push({ slot: followed.slot, epoch: followed.owner.epoch });
    }
    if (queries.length === 0) return;
    this.#send({ queries });
    this.#beat();
  }

  /** A follower whose copy is of no use can be helped once it does not count any more. */
  #askAgain(): void {
    for (const followed of this.#slots.values()) {
      if (followed.phase === "unusable" && !followed.follower.counts) followed.reset();
    }
    this.#ask();
  }

  #positioned(position: SlotPosition): void {
    const { slot, epoch } = position;
    const followed = this.#slots.get(slot);
    if (followed?.phase !== "asked" || followed.owner.epoch !== epoch) return;
    const way = followed.catchUp(position);
    if (way.kind === "unusable") {
      followed.phase = "unusable";
      followed.follower.unusable = true;
      return this.parts.wake();
    }
    if (way.kind === "snapshot") {
      // An owner that is starting may not know yet how far its slot was committed: its snapshot would be too old.
      if (followed.owner.state !== "serving") {
        return followed.reset(this.parts.clock.monotonicMs() + ASK_AGAIN_MS);
      }
      followed.phase = "snapshot";
      return this.#snapshots.add(followed, way.since);
    }
    followed.stream(way.afterLsn);
    const begin = {
      slot,
      epoch,
      prevEpoch: way.afterEpoch,
      prevLsn: way.afterLsn,
      snapshot: false,
      ringVersion: 0,
    };
    this.#send({ begins: [begin] });
    followed.owner.acked(followed.follower, way.afterLsn, this.parts.clock.monotonicMs());
    followed.owner.advance();
    this.#streams(followed);
    this.parts.wake();
  }

  #sendSnapshot(
    followed: FollowedSlot,
    records: Uint8Array,
    begin: boolean,
    endLsn: number | undefined,
  ): void {
    const { slot, owner, session } = followed;
    const edge = { slot, epoch: owner.epoch, prevEpoch: 0, prevLsn: 0 };
    const begins = begin ? [{ ...edge, snapshot: true, ringVersion: this.parts.ringVersion() }] : [];
    const marks = endLsn === undefined ? [] : [{ followed, session, lsn: endLsn }];
    const number = this.#sent.add(records.length, marks, true);
    this.#send({ number, records, begins });
  }

  #snapshotSent(followed: FollowedSlot, baseLsn: number): void {
    followed.stream(baseLsn);
    this.#streams(followed);
  }

  /** The slot's log may go on. */
  #streams(followed: FollowedSlot): void {
    this.#ready.add(followed);
    this.#flush();
  }

  #refused(slot: number, epoch: number, reason: string): void {
    const followed = this.#slots.get(slot);
    if (followed === undefined) return;
    const { clock, log } = this.parts;
    log("debug", "a follower refused a slot", { slot, to: this.address, reason });
    this.#ready.delete(followed);
    this.#snapshots.drop(followed);
    followed.follower.refusedMs = clock.monotonicMs();
    followed.reset(clock.monotonicMs() + ASK_AGAIN_MS);
    if (epoch > followed.owner.epoch) this.parts.deposed(followed.owner, epoch);
  }

  #acked(number: number): void {
    const { marks, parts } = this.#sent.acked(number);
    const nowMs = this.parts.clock.monotonicMs();
    const owners = new Set<SlotOwner>();
    for (const { followed: { owner, follower }, lsn } of marks) {
      owner.acked(follower, lsn, nowMs);
      owners.add(owner);
    }
    for (const owner of owners) owner.advance();
    this.#snapshots.acked(parts);
    this.#flush();
  }
}
