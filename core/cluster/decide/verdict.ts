/** Whether a process is to be taken for lost. A wrong yes costs a moment, never data: promises and epochs see to that. */

import type { Answer, Loss } from "./view.ts";

/** Owners that a master has not met yet get so long to come up, from its beginning or the last time that somebody came. */
const FIRST_CONTACT_MS = 5000;
/** But not more than this since somebody came the first time. */
const GATHERING_MS = 30_000;
/** For so long a suspicion counts. */
export const SUSPICION_MS = 1000;
/** So much of the time that the master itself ran must have passed without an answer to one that is suspected. */
const SILENCE_MS = 400;

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

/** When processes have answered to this master for the first time. A cluster that starts as a whole takes its time. */
export interface Arrivals {
  /** Since when the master leads. */
  readonly leadingSinceMs: number;
  readonly firstMs: number | undefined;
  readonly lastMs: number | undefined;
}

export interface Circumstances {
  /** All times are those of {@link OwnTime}. */
  readonly nowMs: number;
  /** Until then whoever has never answered is waited for; see {@link gatheredMs}. */
  readonly gatheredMs: number;
  readonly promiseMs: number;
  /** The coordinator still has its registration, or it has taken it back itself because it leaves. */
  readonly registered: boolean;
}

/** No answer alone says little; it takes a second witness, or time. */
export function lossOf(seen: Observed, around: Circumstances): Loss | undefined {
  const { nowMs, gatheredMs, promiseMs, registered } = around;
  if (seen.failingSinceMs === undefined) return seen.answer?.stuck ? "stuck" : undefined;
  if (!seen.metAlive && nowMs < gatheredMs) return undefined;
  const suspected = seen.suspectedMs !== undefined && nowMs - seen.suspectedMs <= SUSPICION_MS;
  const silentMs = nowMs - seen.failingSinceMs;
  const silent = silentMs >= promiseMs || (suspected && silentMs >= SILENCE_MS);
  return seen.broken || !registered || silent ? "dead" : undefined;
}

/** From then on whoever has not come is not waited for. */
export function gatheredMs({ leadingSinceMs, firstMs, lastMs }: Arrivals): number {
  const untilMs = (lastMs ?? leadingSinceMs) + FIRST_CONTACT_MS;
  return Math.min(untilMs, (firstMs ?? leadingSinceMs) + GATHERING_MS);
}
