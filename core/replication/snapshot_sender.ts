import type { Cancel, Clock } from "../platform/ports.ts";
import type { Engine } from "../storage/engine.ts";
import { BatchWriter } from "./batch.ts";
import type { FollowedSlot } from "./followed_slot.ts";
import { SnapshotSource } from "./snapshot_source.ts";

const PART_BYTES = 128 << 10;
/** Parts under way unacknowledged. */
const PARTS_MAX = 8;

export interface SnapshotListener {
  /** Sends a part; `begin` for the first, `endLsn` with the last. */
  send(followed: FollowedSlot, records: Uint8Array, begin: boolean, endLsn: number | undefined): void;
  /** All parts were sent; the log behind `baseLsn` has to follow. */
  done(followed: FollowedSlot, baseLsn: number): void;
}

interface Sending {
  readonly followed: FollowedSlot;
  readonly source: SnapshotSource;
  begun: boolean;
  /** Keys that were sent, or told to be kept. */
  keys: number;
}

/** What is on its way over a link. */
export interface TransferProgress {
  /** Those that wait for their turn counted in. */
  readonly slots: number;
  readonly bytesSent: number;
  /** About: what the follower has already is counted in. */
  readonly bytesLeft: number;
  /** Since there was nothing to send the last time. */
  readonly bytesPerSecond: number;
}

/** Sends snapshots over a link: one slot at a time, at a bounded rate, so that it holds up neither writes nor others. */
export class SnapshotSender {
  readonly #waiting = new Map<FollowedSlot, number>();
  readonly #writer = new BatchWriter(PART_BYTES);
  #current: Sending | undefined;
  #unackedParts = 0;
  /** The next part may go then. */
  #notBeforeMs = 0;
  /** Of the snapshots that were sent without a rest between them. */
  #sinceMs = 0;
  #bytesSent = 0;
  #timer: Cancel | undefined;

  constructor(
    private readonly engine: Engine,
    private readonly clock: Clock,
    private readonly bytesPerSecond: number,
    private readonly listener: SnapshotListener,
  ) {}

  /** Sends the slot in its turn; what the follower has of the state at `since` is left out. */
  add(followed: FollowedSlot, since: number): void {
    if (this.#current === undefined && this.#waiting.size === 0) {
      this.#sinceMs = this.clock.monotonicMs();
      this.#bytesSent = 0;
    }
    this.#waiting.set(followed, since);
    this.#pump();
  }

  drop(followed: FollowedSlot): void {
    this.#waiting.delete(followed);
    if (this.#current?.followed !== followed) return;
    this.#current = undefined;
    this.#pump();
  }

  /** The stream broke. */
  clear(): void {
    this.#waiting.clear();
    this.#current = undefined;
    this.#unackedParts = 0;
    this.#timer?.();
    this.#timer = undefined;
  }

  /** Undefined while nothing is on its way. */
  get progress(): TransferProgress | undefined {
    const current = this.#current;
    const slots = this.#waiting.size + (current === undefined ? 0 : 1);
    if (slots === 0) return undefined;
    let bytesLeft = current === undefined ? 0 : leftOf(current);
    for (const { slot } of this.#waiting.keys()) bytesLeft += this.engine.slot(slot).bytes;
    const seconds = (this.clock.monotonicMs() - this.#sinceMs) / 1000;
    const bytesPerSecond = seconds > 0 ? this.#bytesSent / seconds : 0;
    return { slots, bytesSent: this.#bytesSent, bytesLeft, bytesPerSecond };
  }

  acked(parts: number): void {
    this.#unackedParts -= parts;
    this.#pump();
  }

  #pump(): void {
    if (this.#timer !== undefined) return;
    while (this.#unackedParts < PARTS_MAX && (this.#current ??= this.#take()) !== undefined) {
      const waitMs = this.#notBeforeMs - this.clock.monotonicMs();
      if (waitMs > 0) {
        this.#timer = this.clock.after(waitMs, () => {
          this.#timer = undefined;
          this.#pump();
        });
        return;
      }
      this.#sendPart(this.#current);
    }
  }

  #take(): Sending | undefined {
    for (const [followed, since] of this.#waiting) {
      this.#waiting.delete(followed);
      const source = new SnapshotSource(this.engine, followed.slot, since);
      return { followed, source, begun: false, keys: 0 };
    }
    return undefined;
  }

  #sendPart(current: Sending): void {
    const { followed, source, begun } = current;
    let done = false;
    while (this.#writer.bytes < PART_BYTES) {
      const next = source.records.next();
      done = next.done === true;
      if (next.done) break;
      this.#writer.add(next.value);
      if (next.value.key !== "") current.keys++;
    }
    const records = this.#writer.take();
    current.begun = true;
    this.#bytesSent += records.length;
    this.#unackedParts++;
    this.#notBeforeMs = Math.max(this.#notBeforeMs, this.clock.monotonicMs()) +
      1000 * records.length / this.bytesPerSecond;
    this.listener.send(followed, records, !begun, done ? source.baseLsn : undefined);
    if (!done || this.#current !== current) return;
    this.#current = undefined;
    this.listener.done(followed, source.baseLsn);
  }
}

/** As if all keys had values of one size. */
function leftOf({ source, keys }: Sending): number {
  return keys >= source.keys ? 0 : Math.round(source.bytes * (1 - keys / source.keys));
}
