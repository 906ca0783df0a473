import type { TransferStatus } from "../../proto/gen/kv/v1/kv.ts";
import type { Clock, Log } from "../platform/ports.ts";

const TELL_MS = 2000;

/** Tells people how far this node is with the slots that owners send to it as a whole, when that takes a while. */
export class CatchingUp {
  /** By owner: what it said last of what is on its way. */
  readonly #transfers = new Map<string, TransferStatus>();
  /** Of owners that have sent all. */
  #bytesBefore = 0;
  #sinceMs: number | undefined;
  #toldMs = 0;

  constructor(private readonly clock: Clock, private readonly log: Log) {}

  /** What the owner has on its way to this node; undefined: nothing, or nothing any more. */
  heard(ownerId: string, transfer: TransferStatus | undefined): void {
    const nowMs = this.clock.monotonicMs();
    if (transfer !== undefined) {
      this.#sinceMs ??= this.#toldMs = nowMs;
      this.#transfers.set(ownerId, transfer);
      if (nowMs - this.#toldMs >= TELL_MS) this.#tell(nowMs);
      return;
    }
    this.#bytesBefore += this.#transfers.get(ownerId)?.bytesSent ?? 0;
    if (!this.#transfers.delete(ownerId) || this.#transfers.size > 0) return;
    const tookMs = nowMs - this.#sinceMs!;
    const fields = { bytes: this.#bytesBefore, seconds: secondsOf(tookMs) };
    if (tookMs >= TELL_MS) this.log("info", "caught up: the log alone is followed now", fields);
    this.#bytesBefore = 0;
    this.#sinceMs = undefined;
  }

  /** The owner is not heard any more; what it had on its way is asked for again. */
  lost(ownerId: string): void {
    this.#bytesBefore += this.#transfers.get(ownerId)?.bytesSent ?? 0;
    this.#transfers.delete(ownerId);
  }

  #tell(nowMs: number): void {
    this.#toldMs = nowMs;
    const sum = { slots: 0, bytesSent: this.#bytesBefore, bytesLeft: 0, bytesPerSecond: 0 };
    for (const { slots, bytesSent, bytesLeft, bytesPerSecond } of this.#transfers.values()) {
      sum.slots += slots;
      sum.bytesSent += bytesSent;
      sum.bytesLeft += bytesLeft;
      sum.bytesPerSecond += bytesPerSecond;
    }
    const { slots, bytesSent, bytesLeft, bytesPerSecond } = sum;
    const toGo = bytesPerSecond > 0 ? { secondsToGo: secondsOf(1000 * bytesLeft / bytesPerSecond) } : {};
    this.log("info", "catching up", { slotsLeft: slots, bytes: bytesSent, bytesLeft, ...toGo });
  }
}

function secondsOf(ms: number): number {
  return Math.round(ms / 100) / 10;
}
