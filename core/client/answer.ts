import { OperationKind, type Reply } from "../../proto/gen/kv/v1/kv.ts";
import { KvError } from "../platform/errors.ts";
import { copyOf } from "../platform/slab.ts";
import { errorFromDetail } from "../rpc/errors.ts";
import type { Versioned, WriteOutcome, WriteResult } from "./api.ts";
import type { Operation } from "./operation.ts";

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

/** The value is a view of the message it came in; kept as that, a small one would hold a large message in memory. */
function ownBytes(view: Uint8Array): Uint8Array {
  return 2 * view.length >= view.buffer.byteLength ? view : copyOf(view);
}
