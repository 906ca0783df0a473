/**
 * One operation from the call to its promise, and what is known of its outcome.
 *
 * **When is the outcome of a write known?** Let a *sending* be one handing of the write to the transport. All sendings
 * carry the same (client id, sequence), so at most one of them takes effect. A sending is *unsettled* until an answer
 * to exactly this sending says that it did nothing. A lost stream, a time limit, OUTCOME_UNKNOWN, UNREACHABLE and INTERNAL
 * leave it unsettled for ever: it may have taken effect, or may still be on its way and take effect later.
 *
 *   what comes                                      unsettled sendings    then
 *   a result that changed something, of any sending  any                   the result: it is the write's only one
 *   "nothing changed", of the latest sending        any                   the result: the owner keeps it for retries
 *   "nothing changed", of an earlier sending        the others            ignored: a later one may be executed yet
 *   WRONG_OWNER, UNAVAILABLE, DAMAGED               the others            sent again within the time limit: another
 *                                                                         copy may take over from a damaged one
 *   OUTCOME_UNKNOWN, UNREACHABLE,
 *   stream lost, owner changed                      + this one            sent again: the owner tells the result, or
 *                                                                         executes now what it never got
 *   CLIENT_FORGOTTEN                                0 others              nothing was done: sent under a new client id
 *   CLIENT_FORGOTTEN                                1 or more others      "outcome-unknown": a new id could repeat it
 *   DISK_FULL, TOO_LARGE, INVALID, REFUSED,
 *   NOT_AUTHORISED                                  0 others              this error: nothing was done
 *   the same                                        1 or more others      "outcome-unknown"
 *   INTERNAL                                        + this one            "outcome-unknown"
 *   time limit, or the client is closed             0                     "unavailable", or "damaged" if that was the
 *                                                                         last answer: nothing was done
 *   the same                                        1 or more             "outcome-unknown"
 *
 * The retry flag is set when a sending is unsettled, rather than on every further sending: after answers that nothing
 * was done the write is as good as new, and an owner that has forgotten the client may say CLIENT_FORGOTTEN instead of
 * OUTCOME_UNKNOWN. A get has no effect: it is sent again as often as needed and its outcome is never unknown.
 */

import { type Condition, type Operation as WireOperation, OperationKind } from "../../proto/gen/kv/v1/kv.ts";
import { type ErrorCode, KvError } from "../platform/errors.ts";
import type { RingNode } from "../ring/ring.ts";
import type { Versioned, WriteResult } from "./api.ts";
import type { WriteIds } from "./write_ids.ts";

/** What an operation has been given to for sending. */
export interface Carrier {
  readonly node: RingNode;
}

/** Waiting: for a ring or a later moment. Queued: at a carrier. Sent: by its carrier, not answered. */
export type OperationState = "waiting" | "queued" | "sent" | "done";

/** What to do about an error reply. `ring`: when a newer ring is here. `new-id`: under another client id. */
export type NextStep = "fail" | "ring" | "backoff" | "new-id";

/** Errors after which the same owner, or the next one, may answer otherwise. */
const PASSING: ReadonlySet<ErrorCode> = new Set(["unavailable", "unreachable", "outcome-unknown", "damaged"]);

/** Bytes of a message that an operation takes besides key and value, at most. */
const OVERHEAD_BYTES = 64;

export class Operation {
  state: OperationState = "waiting";
  /** Defined <=> state is queued or sent. */
  carrier: Carrier | undefined = undefined;
  /** The id of the latest sending on its carrier's stream. */
  sendingId = 0;
  /** Sendings that no answer has settled, see above; always 0 for gets. */
  unsettled = 0;
  /** Error replies of the same carrier in a row: another owner may be about to serve. */
  failures = 0;
  #refusedBy: Carrier | undefined = undefined;
  /** While waiting: sent again at this time ... */
  resendAtMs = Infinity;
  /** ... or as soon as there is a ring of this version. */
  ringVersionMin = 0;
  /** What last went wrong. */
  lastError: KvError | undefined = undefined;

  constructor(
    readonly kind: OperationKind,
    readonly key: Uint8Array,
    readonly value: Uint8Array,
    readonly condition: Condition | undefined,
    readonly hash: number,
    readonly timeoutMs: number,
    readonly deadlineMs: number,
    /** Undefined for gets. */
    public ids: WriteIds | undefined,
    /** 0 for gets. */
    public sequence: number,
    readonly resolve: (result: Versioned | WriteResult | undefined) => void,
    readonly reject: (error: KvError) => void,
  ) {}

  get bytes(): number {
    return this.key.length + this.value.length + OVERHEAD_BYTES;
  }

  /** The next sending, under `sendingId`. From here on it counts as handed to the transport. */
  sending(sendingId: number): WireOperation {
    const retry = this.unsettled > 0;
    this.state = "sent";
    this.sendingId = sendingId;
    if (this.ids !== undefined) this.unsettled++;
    const { kind, key, value, condition, sequence } = this;
    return { id: sendingId, kind, key, value, condition, sequence, retry };
  }

  /** Takes notice of an error reply to one sending, and says what it calls for. */
  refused(error: KvError): NextStep {
    this.failures = this.carrier === this.#refusedBy ? this.failures + 1 : 1;
    this.#refusedBy = this.carrier;
    this.lastError = error;
    const { code } = error;
    if (this.ids !== undefined && saysNothingWasDone(code)) this.unsettled--;
    if (code === "wrong-owner") return "ring";
    if (PASSING.has(code)) return "backoff";
    if (code === "client-forgotten" && this.ids !== undefined && this.unsettled === 0) return "new-id";
    return "fail";
  }

  /** An earlier sending was answered, and changed nothing. */
  settledUnchanged(): void {
    this.unsettled--;
  }

  /** Whether it must be said that the write may have taken effect. */
  get outcomeUnknown(): boolean {
    return this.unsettled > 0;
  }

  /** The error to end with when `cause` leaves nothing more to try. */
  failure(cause: KvError): KvError {
    if (!this.outcomeUnknown) return cause;
    const text = `outcome unknown: the ${this.name} may have taken effect, or still may; ${cause.message}`;
    return new KvError("outcome-unknown", text, cause.fields, { cause });
  }

  get name(): string {
    return this.kind === OperationKind.GET ? "get" : this.kind === OperationKind.PUT ? "put" : "delete";
  }
}

/** Whether an error reply proves that the sending it answers had no effect and never will. */
function saysNothingWasDone(code: ErrorCode): boolean {
  return code !== "outcome-unknown" && code !== "internal" && code !== "unreachable";
}
