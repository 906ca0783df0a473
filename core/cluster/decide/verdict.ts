/** Whether a process is to be taken for lost. A wrong yes costs a moment, never data: promises and epochs see to that. */

import type { Answer, Loss } from "./view.ts";

/** A master that has just taken over gives owners that it has not reached yet so long to come up. */
export const FIRST_CONTACT_MS = 5000;
/** For so long a suspicion counts. */
export const SUSPICION_MS = 1000;

/** What a master has seen and heard of a process. */
export interface Observed {
  /** It has answered to this master, or somebody told that it had been alive. */
  readonly metAlive: boolean;
  /** Its last answer. */
  readonly answer: Answer | undefined;
  /** Since when it has not answered, if it did not the last time. */
  readonly failingSinceMs: number | undefined;
  /** The last failure was a connection that was refused or broke, or another process at its address. */
  readonly broken: boolean;
  /** When another node last reported that it does not answer. */
  readonly suspectedMs: number | undefined;
}

export interface Circumstances {
  readonly nowMs: number;
  /** Since when the master leads. */
  readonly leadingSinceMs: number;
  readonly promiseMs: number;
  /** The coordinator still has its registration. */
  readonly registered: boolean;
}

/** No answer alone says little; it takes a second witness, or time. */
export function lossOf(seen: Observed, around: Circumstances): Loss | undefined {
  const { nowMs, leadingSinceMs, promiseMs, registered } = around;
  if (seen.failingSinceMs === undefined) return seen.answer?.stuck ? "stuck" : undefined;
  if (!seen.metAlive && nowMs - leadingSinceMs < FIRST_CONTACT_MS) return undefined;
  const suspected = seen.suspectedMs !== undefined && nowMs - seen.suspectedMs <= SUSPICION_MS;
  const longSilent = nowMs - seen.failingSinceMs >= promiseMs;
  return seen.broken || suspected || !registered || longSilent ? "dead" : undefined;
}
