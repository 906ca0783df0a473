/** What clients asked and were told about one key: the input of the checkers. */

export type Condition = { readonly kind: "absent" } | { readonly kind: "version"; readonly version: number };

export type Request =
  | { readonly kind: "get" }
  /** Values are unique: no two puts of a history write the same. */
  | { readonly kind: "put"; readonly value: string; readonly condition?: Condition | undefined }
  | { readonly kind: "delete"; readonly condition?: Condition | undefined };

export type Answer =
  /** A get that found; `version` is that of the write that made the value. */
  | { readonly kind: "value"; readonly value: string; readonly version: number }
  /** A get, or a delete, that found nothing. */
  | { readonly kind: "absent" }
  /** A write that took effect, with its own version, and whether there was a value before. */
  | { readonly kind: "written"; readonly version: number; readonly existed: boolean }
  /** A conditional write that changed nothing; `version` is the present one, 0 where there is no value. */
  | { readonly kind: "condition-failed"; readonly version: number }
  /** It may have happened, once, at any time after the call. */
  | { readonly kind: "unknown" }
  /** It has not happened and never will. */
  | { readonly kind: "failed" };

export interface KeyOperation {
  readonly request: Request;
  readonly answer: Answer;
  /** Positions of call and return in the order of all calls and returns; all different. */
  readonly callAt: number;
  readonly returnAt: number;
  /** Who asked; for messages only. */
  readonly client: string;
}

export type Verdict =
  | { readonly kind: "linearizable" }
  | { readonly kind: "violation"; readonly reason: string; readonly operation?: KeyOperation | undefined }
  /** Too many possibilities: neither of the two was shown. */
  | { readonly kind: "gave-up"; readonly reason: string };

export const LINEARIZABLE: Verdict = { kind: "linearizable" };

/** `[12..15] c1 put x if version 3 -> written 7` */
export function describe(operation: KeyOperation): string {
  const { request, answer, callAt, returnAt, client } = operation;
  const condition = request.kind === "get" || request.condition === undefined
    ? ""
    : request.condition.kind === "absent"
    ? " if absent"
    : ` if version ${request.condition.version}`;
  const value = request.kind === "put" ? ` ${request.value}` : "";
  return `[${callAt}..${returnAt}] ${client} ${request.kind}${value}${condition} -> ${
    describeAnswer(answer)
  }`;
}

function describeAnswer(answer: Answer): string {
  switch (answer.kind) {
    case "value":
      return `${answer.value} at version ${answer.version}`;
    case "written":
      return `${answer.existed ? "over a value" : "over nothing"} at version ${answer.version}`;
    case "condition-failed":
      return `condition failed, present version ${answer.version}`;
    default:
      return answer.kind;
  }
}
