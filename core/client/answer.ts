import { OperationKind, type Reply } from "../../proto/gen/kv/v1/kv.ts";
import { KvError } from "../platform/errors.ts";
import { errorFromDetail } from "../rpc/errors.ts";
import type { Versioned, WriteOutcome, WriteResult } from "./api.ts";
import type { Operation } from "./operation.ts";

const SLAB_BYTES = 16 * 1024;
const SHARED_BYTES_MAX = 1024;
let slab = new Uint8Array(SLAB_BYTES);
let slabUsed = 0;

/** By the number of the wire's `Outcome`. */
const OUTCOMES: readonly (WriteOutcome | undefined)[] = [
  undefined,
  "created",
  "updated",
  "deleted",
  "not-found",
  "condition-failed",
];

/** What a reply says to the caller. A write's outcome that is not known here (a newer program's) is an error. */
export function answerOf(operation: Operation, reply: Reply): Versioned | WriteResult | undefined | KvError {
  if (reply.error !== undefined) return errorFromDetail(reply.error);
  const { version, epoch } = reply;
  if (operation.kind === OperationKind.GET) {
    return reply.found ? { value: ownBytes(reply.value), version } : undefined;
  }
  const outcome = OUTCOMES[reply.outcome];
  if (outcome === undefined) return new KvError("internal", `outcome ${reply.outcome} is not known here`);
  return { outcome, version, epoch };
}

/** Whether it is the answer to a write that left everything as it was. */
export function changedNothing(answer: Versioned | WriteResult | undefined): boolean {
  return answer !== undefined && "outcome" in answer &&
    (answer.outcome === "not-found" || answer.outcome === "condition-failed");
}

/**
 * The value is a view of the message it came in; kept as that, a small one would hold a large message in memory. Small
 * values are copied into a slab that they share: an array of its own costs V8 ten times as much.
 */
function ownBytes(view: Uint8Array): Uint8Array {
  if (view.length > SHARED_BYTES_MAX) return 2 * view.length >= view.buffer.byteLength ? view : view.slice();
  if (slabUsed + view.length > SLAB_BYTES) {
    slab = new Uint8Array(SLAB_BYTES);
    slabUsed = 0;
  }
  slab.set(view, slabUsed);
  slabUsed += view.length;
  return slab.subarray(slabUsed - view.length, slabUsed);
}
