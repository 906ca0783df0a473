/** Short names for the operations of which the tests of the checkers make histories. */

import type { Answer, Condition, KeyOperation, Request } from "../../core/check/history.ts";

let clients = 0;
export function op(callAt: number, returnAt: number, request: Request, answer: Answer): KeyOperation {
  return { callAt, returnAt, request, answer, client: `c${clients++}` };
}

export const put = (value: string, condition?: Condition): Request => ({ kind: "put", value, condition });
export const remove = (condition?: Condition): Request => ({ kind: "delete", condition });
export const get: Request = { kind: "get" };
export const written = (version: number, existed: boolean): Answer => ({ kind: "written", version, existed });
export const saw = (value: string, version: number): Answer => ({ kind: "value", value, version });
export const absent: Answer = { kind: "absent" };
export const unknown: Answer = { kind: "unknown" };
export const conditionFailed = (version: number): Answer => ({ kind: "condition-failed", version });
export const failed: Answer = { kind: "failed" };
