import type { KvError } from "../platform/errors.ts";

/** What a conditional write asks of the present state: no value, or a value of this version. */
export type Condition = { readonly absent: true } | { readonly version: number } | undefined;

/** A write as it reaches the owner of its slot. */
export interface WriteRequest {
  readonly kind: "put" | "delete";
  /** Binary string. */
  readonly key: string;
  readonly hash: number;
  /** Empty for a delete. */
  readonly value: Uint8Array;
  readonly condition: Condition;
  /** Binary string of 16 characters; "" when the caller does without "at most once". */
  readonly clientId: string;
  readonly sequence: number;
  readonly lowestUnfinished: number;
  /** Whether the caller has sent the same sequence before. */
  readonly retry: boolean;
}

/** Outcomes, with the numbers that they have on the wire and in the log. */
export const Outcome = {
  Created: 1,
  Updated: 2,
  Deleted: 3,
  NotFound: 4,
  ConditionFailed: 5,
} as const;
export type Outcome = typeof Outcome[keyof typeof Outcome];

/** Whoever waits for the answer of a write; exactly one of the two is called, once. */
export interface Waiter {
  done(outcome: number, version: number, epoch: number): void;
  failed(error: KvError): void;
}

/** What a write does to a key that has this version, 0 for none. */
export function decide(request: WriteRequest, version: number): Outcome {
  const { condition } = request;
  if (condition !== undefined) {
    const holds = "absent" in condition ? version === 0 : version === condition.version && version > 0;
    if (!holds) return Outcome.ConditionFailed;
  }
  if (request.kind === "put") return version === 0 ? Outcome.Created : Outcome.Updated;
  return version === 0 ? Outcome.NotFound : Outcome.Deleted;
}
