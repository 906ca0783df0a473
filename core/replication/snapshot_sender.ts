import { KvError } from "../platform/errors.ts";
import type { Cancel, Clock } from "../platform/ports.ts";
import type { Engine } from "../storage/engine.ts";
import { BatchWriter } from "./batch.ts";
import type { FollowedSlot } from "./followed_slot.ts";
import { SnapshotSource } from "./snapshot_source.ts";

interface Pace {
  readonly partBytes: number;
  /** Making a part holds requests up for about this long at most. */
  readonly partMs: number;
  /** Parts under way unacknowledged: the records of other slots have to wait for them at the follower. */
  readonly partsMax: number;
}

/** While nobody writes. */
const SWIFT: Pace = { partBytes: 128 << 10, partMs: 2, partsMax: 12 };
/** While clients write: what a part holds up, here and at the follower, is as short as their writes. */
const GENTLE: Pace = { partBytes: 16 << 10, partMs: 1, partsMax: 1 };
/** So long after a write it counts as if clients were writing: ten a second are no load yet. */
const WRITING_MS = 100;
const RECORDS_PER_LOOK = 16;
/**
 * A gentle part that took longer than the quickest shows that one of the two ends is busy. Then the sender rests so many
 * times the difference, and leaves the processor to requests.
 */
const RESTS = 6;
const REST_MS_MAX = 100;

export interface SnapshotListener {
  /** Sends a part; `begin` for the first, `endLsn` with the last. */
  send(followed: FollowedSlot, records: Uint8Array, begin: boolean, endLsn: number | undefined): void;
  /** All parts were sent; the log behind `baseLsn` has to follow. */
  done(followed: FollowedSlot, baseLsn: number): void;
  /** The slot's copy turned out to be damaged, as the engine tells too: the rest of the snapshot does not come. */
  unreadable(followed: FollowedSlot): void;
}

interface Part {
  readonly startMs: number;
  readonly pace: Pace;
  /** It ends its snapshot, and is smaller than others. */
  readonly last: boolean;
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

/**
 * Sends snapshots over a link: one slot at a time, in small parts, at a bounded rate, and slower while there is other
 * work, so that it holds up neither requests nor other slots. Each part wakes both ends and is synced by itself, which
 * is why they are larger while nobody has to wait for them.
 */
export class SnapshotSender {
  readonly #waiting = new Map<FollowedSlot, number>();
  readonly #writer = new BatchWriter(SWIFT.partBytes);
  #current: Sending | undefined;
  readonly #unacked: Part[] = [];
  /** When a part was acknowledged the last time. */
  #ackedMs = 0;
  /** What a gentle part took to its acknowledgement, at best, since there was nothing to send the last time. */
  #quickestMs = Infinity;
  #writtenMs = -Infinity;
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
      this.#quickestMs = Infinity;
    }
    this.#waiting.set(followed, since);
    this.#pump();
  }

  /** A client has written to one of the slots that the follower copies. */
  clientWrote(): void {
    this.#writtenMs = this.clock.monotonicMs();
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
    this.#unacked.length = 0;
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
    const nowMs = this.clock.monotonicMs();
    const acked = this.#unacked.splice(0, parts);
    if (acked.length > 0) {
      // The time that a part waited for the one before it says nothing.
      const tookMs = (nowMs - Math.max(acked[0]!.startMs, this.#ackedMs)) / acked.length;
      const restMs = Math.min(REST_MS_MAX, this.#restMs(acked, tookMs));
      this.#notBeforeMs = Math.max(this.#notBeforeMs, nowMs + restMs);
      this.#ackedMs = nowMs;
    }
    this.#pump();
  }

  #restMs(acked: readonly Part[], tookMs: number): number {
    if (acked[0]!.pace !== GENTLE) return 0;
    const laterMs = Math.max(0, tookMs - this.#quickestMs);
    if (!acked.some(({ last }) => last)) this.#quickestMs = Math.min(this.#quickestMs, tookMs);
    return RESTS * laterMs;
  }

  get #pace(): Pace {
    return this.clock.monotonicMs() - this.#writtenMs < WRITING_MS ? GENTLE : SWIFT;
  }

  /** Sends the next part when it may go, one in a turn. */
  #pump(): void {
    if (this.#timer !== undefined || this.#unacked.length >= this.#pace.partsMax) return;
    if (this.#current === undefined && this.#waiting.size === 0) return;
    const waitMs = this.#notBeforeMs - this.clock.monotonicMs();
    if (waitMs > 0) return this.#pumpAfter(waitMs);
    this.#current ??= this.#take();
    this.#sendPart(this.#current!);
    this.#pumpAfter(0);
  }

  #pumpAfter(waitMs: number): void {
    this.#timer = this.clock.after(waitMs, () => {
      this.#timer = undefined;
      this.#pump();
    });
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
    const startMs = this.clock.monotonicMs();
    const pace = this.#pace;
    const made = this.#makePart(current, pace, startMs + pace.partMs);
    const records = this.#writer.take();
    if (made === "unreadable") {
      this.#current = undefined;
      return this.listener.unreadable(followed);
    }
    const done = made === "last";
    current.begun = true;
    this.#bytesSent += records.length;
    this.#unacked.push({ startMs, pace, last: done });
    this.#notBeforeMs = Math.max(this.#notBeforeMs, startMs) + 1000 * records.length / this.bytesPerSecond;
    this.listener.send(followed, records, !begun, done ? source.baseLsn : undefined);
    if (!done || this.#current !== current) return;
    this.#current = undefined;
    this.listener.done(followed, source.baseLsn);
  }

  /** Whether more parts of its snapshot follow, or, as a record that has rotted is met, none can be made. */
  #makePart(current: Sending, { partBytes }: Pace, untilMs: number): "more" | "last" | "unreadable" {
    try {
      for (let i = 1; this.#writer.bytes < partBytes; i++) {
        const next = current.source.records.next();
        if (next.done) return "last";
        this.#writer.add(next.value);
        if (next.value.key !== "") current.keys++;
        if (i % RECORDS_PER_LOOK === 0 && this.clock.monotonicMs() >= untilMs) return "more";
      }
      return "more";
    } catch (error) {
      if (!(error instanceof KvError)) throw error;
      return "unreadable";
    }
  }
}

/** As if all keys had values of one size. */
function leftOf({ source, keys }: Sending): number {
  return keys >= source.keys ? 0 : Math.round(source.bytes * (1 - keys / source.keys));
}
