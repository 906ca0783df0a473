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
  /** Positions of call and return, or their times. A call and a return at the same time overlap. */
  readonly callAt: number;
  readonly returnAt: number;
  /** Who asked; for messages only. */
  readonly client: string;
}

/**
 * What went wrong with a write or an answer.
 *
 * - `lost`: an acknowledged write (a delete too) is missing: no later answer up to the next write of the key shows it, or
 *   another write was decided as if it had never been.
 * - `duplicated`: a write took effect twice, or its answer can only come from a second execution of itself.
 * - `stale`: an answer older than what had been answered before its call, while later answers show that nothing is lost.
 * - `other`: a write that had failed is seen, a value that nobody wrote, an answer that fits no order at all.
 */
export type ViolationKind = "lost" | "duplicated" | "stale" | "other";

export interface Violation {
  readonly kind: ViolationKind;
  /** The write that is lost or was doubled; otherwise the operation whose answer cannot be. */
  readonly culprit: KeyOperation;
  readonly reason: string;
  /** The few operations that show it, in the order of their calls. */
  readonly operations: readonly KeyOperation[];
}

export type Verdict =
  | { readonly kind: "linearizable" }
  | {
    readonly kind: "violation";
    readonly reason: string;
    /** At least one from the checker by version; the general one does not say. */
    readonly violations: readonly Violation[];
  }
  /** Too many possibilities: neither of the two was shown. */
  | { readonly kind: "gave-up"; readonly reason: string };

export const LINEARIZABLE: Verdict = { kind: "linearizable" };

/** `[12..15] c1 put x if version 3 -> written 7` */
export function describe(operation: KeyOperation): string {
  const { request, answer, callAt, returnAt, client } = operation;
  const value = request.kind === "put" ? ` ${request.value}` : "";
  return `[${callAt}..${returnAt}] ${client} ${request.kind}${value}${conditionText(request)} -> ${
    describeAnswer(answer)
  }`;
}

/** ` if absent`, ` if version 3`, or nothing. */
export function conditionText(request: Request): string {
  if (request.kind === "get" || request.condition === undefined) return "";
  const { condition } = request;
  return condition.kind === "absent" ? " if absent" : ` if version ${condition.version}`;
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
