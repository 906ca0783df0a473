import type { SlotBegin, SlotDigest, SlotMismatch, SlotPosition } from "../../proto/gen/kv/v1/cluster.ts";
import { KvError, messageOf } from "../platform/errors.ts";
import type { Clock, Log } from "../platform/ports.ts";
import { type NodeRef, type Ring, sameRef } from "../ring/ring.ts";
import type { Engine } from "../storage/engine.ts";
import { type LogRecord, RecordKind } from "../storage/record.ts";
import { digestOf } from "./comparison.ts";
import { positionOf } from "./fork.ts";
import type { Promises } from "./promises.ts";

/** The other end of a stream from an owner: what it is told outside of answers. */
export interface OwnerStream {
  /** The slot's records since its last beginning do not count. */
  refuse(slot: number, reason: string): void;
}

/** Who sends a slot's log at present. */
interface Session {
  readonly stream: OwnerStream;
  readonly epoch: number;
  /** Its beginning has come: records may follow. */
  begun: boolean;
  /** The log is the owner's as far as it goes, and no snapshot is under way: it may be committed. */
  aligned: boolean;
}

export interface ReplicasParts {
  readonly self: NodeRef;
  readonly engine: Engine;
  readonly clock: Clock;
  readonly promises: Promises;
  readonly log: Log;
  readonly ring: () => Ring | undefined;
  /** Somebody owns the slot in this epoch, which is above any known before: this node does not. */
  readonly deposed: (slot: number, epoch: number) => void;
}

/**
 * The slots that this node copies for others. Per slot one owner is listened to: the one of the highest epoch known,
 * on its latest stream.
 */
export class Replicas {
  readonly #sessions = new Map<number, Session>();
  /** Slots whose copies were offered for deletion, and which no owner has asked for since. */
  readonly #offered = new Set<number>();

  constructor(private readonly parts: ReplicasParts) {
    const { engine } = parts;
    engine.onRejected((slot, _, error) => this.#drop(slot, error.message));
    engine.onDamage((slot, { reason }) => this.#drop(slot, `the copy is damaged: ${reason}`));
  }

  /** The process that serves the slot for this follower speaks in this epoch; false when it is deposed. */
  accept(slot: number, epoch: number): boolean {
    const { promises, deposed } = this.parts;
    const before = promises.highest(slot);
    if (!promises.accept(slot, epoch)) return false;
    if (epoch > before) {
      deposed(slot, epoch);
      if (this.#sessions.get(slot)?.epoch !== epoch) this.#sessions.delete(slot);
    }
    return true;
  }

  /** Answers where the slot's log ends, once all of that is on stable storage. The stream is listened to from then on. */
  query(stream: OwnerStream, slot: number, epoch: number, answer: (position: SlotPosition) => void): void {
    const session: Session = { stream, epoch, begun: false, aligned: false };
    this.#sessions.set(slot, session);
    this.#offered.delete(slot);
    this.parts.engine.whenSynced(() => {
      if (this.#sessions.get(slot) === session) answer(positionOf(this.parts.engine.slot(slot), epoch));
    });
  }

  /** Cuts the slot's log where the owner's parts from it. */
  begin(stream: OwnerStream, { slot, epoch, prevEpoch, prevLsn, snapshot, ringVersion }: SlotBegin): void {
    const session = this.#session(stream, slot, epoch);
    if (session === undefined) return stream.refuse(slot, "the slot was not asked for");
    const reason = snapshot ? this.#snapshotRefusal(slot, ringVersion) : this.#cut(slot, prevEpoch, prevLsn);
    if (reason !== undefined) return this.#drop(slot, reason);
    session.begun = true;
    session.aligned = !snapshot;
  }

  /** Appends a record to the slot's log, or refuses the slot: silence would be taken for a yes. */
  append(stream: OwnerStream, record: LogRecord): void {
    const { slot } = record;
    const session = this.#sessions.get(slot);
    if (session?.stream !== stream || !session.begun) return stream.refuse(slot, "the slot has not begun");
    if (session.epoch !== this.parts.promises.highest(slot)) {
      return this.#drop(slot, "a later owner is known");
    }
    if (record.epoch > session.epoch) {
      return this.#drop(slot, "the record is of a later epoch than its sender");
    }
    const reason = this.#tryAppend(record);
    if (reason !== undefined) return this.#drop(slot, reason);
    if (record.kind === RecordKind.SnapshotEnd) {
      this.parts.engine.whenSynced(() => session.aligned = true);
    }
  }

  /** The owner has committed the slot through `lsn`. */
  committed(stream: OwnerStream, slot: number, epoch: number, lsn: number): void {
    const { engine } = this.parts;
    if (!this.#session(stream, slot, epoch)?.aligned) return;
    const { durableLsn, committedLsn, incomplete, damage } = engine.slot(slot);
    const throughLsn = Math.min(lsn, durableLsn);
    if (throughLsn > committedLsn && !incomplete && damage === undefined) engine.commit(slot, throughLsn);
  }

  /** What the copy amounts to; undefined while it cannot be compared. */
  digest(stream: OwnerStream, slot: number, epoch: number): SlotDigest | undefined {
    return this.#session(stream, slot, epoch)?.aligned ? digestOf(this.parts.engine, slot) : undefined;
  }

  /** The owner has found that the copy is not what others are. */
  mismatched(stream: OwnerStream, { slot, epoch, reason }: SlotMismatch): void {
    if (this.#session(stream, slot, epoch) !== undefined) this.parts.engine.distrust(slot, reason);
  }

  /** Where the log of a copy ends that nobody seems to need, for its owner to say whether it may go. */
  offer(slot: number, epoch: number): SlotPosition {
    this.#offered.add(slot);
    return positionOf(this.parts.engine.slot(slot), epoch);
  }

  /**
   * Deletes the copy that was offered to the owner of this epoch, unless an owner has asked for it since, or a later one
   * is known. What is still on its way to it is refused. Throws KvError as the engine's `drop` does.
   */
  letGo(slot: number, epoch: number): boolean {
    if (!this.#offered.delete(slot) || this.parts.promises.highest(slot) > epoch) return false;
    this.#sessions.delete(slot);
    this.parts.engine.drop(slot);
    return true;
  }

  /** The stream has ended. */
  ended(stream: OwnerStream): void {
    for (const [slot, session] of this.#sessions) {
      if (session.stream === stream) this.#sessions.delete(slot);
    }
  }

  #session(stream: OwnerStream, slot: number, epoch: number): Session | undefined {
    const session = this.#sessions.get(slot);
    const known = session?.stream === stream && session.epoch === epoch;
    return known && epoch === this.parts.promises.highest(slot) ? session : undefined;
  }

  #drop(slot: number, reason: string): void {
    const session = this.#sessions.get(slot);
    if (session === undefined) return;
    this.#sessions.delete(slot);
    session.stream.refuse(slot, reason);
  }

  /** Why the log cannot go on behind `prevLsn`; undefined when it can, and what stood there is cut off. */
  #cut(slot: number, prevEpoch: number, prevLsn: number): string | undefined {
    const { engine } = this.parts;
    const { committedLsn, lastLsn } = engine.slot(slot);
    if (engine.epochAt(slot, prevLsn) !== prevEpoch) {
      return `its log (${committedLsn}..${lastLsn}) has no record of epoch ${prevEpoch} at lsn ${prevLsn}`;
    }
    if (prevLsn === lastLsn) return undefined;
    return this.#tryAppend(truncation(slot, prevEpoch, prevLsn));
  }

  /**
   * A copy in the in-sync set is never given up for a snapshot: the ring must be known, of at least the version that
   * the owner knows, and must not list this process for the slot.
   */
  #snapshotRefusal(slot: number, ringVersion: number): string | undefined {
    const ring = this.parts.ring();
    if (ring === undefined || ring.version < ringVersion) return `it does not know ring ${ringVersion} yet`;
    const { isr, lineage = 0 } = ring.slots[slot]!;
    if (isr.some((ref) => sameRef(ref, this.parts.self))) return "the ring lists its copy as in sync";
    const { committedEpoch, committedLsn, keys, tail } = this.parts.engine.slot(slot);
    // It may have acknowledged writes that the owner, who was forced on the slot, does not have.
    const isOfUse = (committedLsn > 0 && keys > 0) || tail.length > 0;
    if (committedEpoch >= lineage || !isOfUse || this.parts.engine.rescue.isAside(slot)) return undefined;
    void this.#setAside(slot);
    return "its copy is of an earlier lineage, and is set aside first";
  }

  async #setAside(slot: number): Promise<void> {
    const { engine, log } = this.parts;
    const { lastEpoch, lastLsn, keys } = engine.slot(slot);
    try {
      await engine.rescue.setAside(slot);
      const why =
        "an owner was forced on the slot, and this copy may have acknowledged writes that it does not have";
      log("warn", "a copy is kept in the folder aside/", { slot, lastEpoch, lastLsn, keys, why });
    } catch (error) {
      log("debug", "a copy is not set aside yet", { slot, error: messageOf(error) });
    }
  }

  #tryAppend(record: LogRecord): string | undefined {
    try {
      this.parts.engine.append(record);
      return undefined;
    } catch (error) {
      if (error instanceof KvError || error instanceof RangeError) return error.message;
      throw error;
    }
  }
}

function truncation(slot: number, epoch: number, lsn: number): LogRecord {
  const none = { key: "", hash: 0, value: new Uint8Array(0), clientId: "", sequence: 0, lowestUnfinished: 0 };
  return { kind: RecordKind.Truncate, slot, epoch, lsn, outcome: 0, ...none };
}
