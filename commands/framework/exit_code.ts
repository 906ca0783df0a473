/** The one place where errors become exit codes. The numbers are a promise to scripts. */

import { CoordinatorError } from "../../core/coordination/coordinator.ts";
import { type ErrorCode, KvError } from "../../core/platform/errors.ts";
import { UsageError } from "./command.ts";

export const ExitCode = {
  done: 0,
  /** Not found, or the condition of a write does not hold. */
  notFound: 1,
  /** `kv bench check` found a violation. */
  violated: 1,
  /** The command line, the configuration or a key or value makes no sense. */
  usage: 2,
  /** Unavailable, or timed out: nothing was done, and it may be tried again. */
  unavailable: 3,
  /** A change was made and what it leads to is not complete; it goes on by itself, or the message says how. */
  unfinished: 4,
  /** A write may or may not have taken effect. */
  outcomeUnknown: 5,
  other: 6,
} as const;

/** The change that a command is for was made, all or a part of it, but the command cannot tell that it is complete. */
export class UnfinishedError extends Error {
  override name = "UnfinishedError";
}

const OF_CODE: Readonly<Record<ErrorCode, number>> = {
  "wrong-owner": ExitCode.unavailable,
  "unavailable": ExitCode.unavailable,
  "unreachable": ExitCode.unavailable,
  "disk-full": ExitCode.unavailable,
  "too-large": ExitCode.usage,
  "invalid": ExitCode.usage,
  "not-authorised": ExitCode.other,
  "outcome-unknown": ExitCode.outcomeUnknown,
  "client-forgotten": ExitCode.other,
  "damaged": ExitCode.other,
  "refused": ExitCode.other,
  "internal": ExitCode.other,
};

/** The exit code for what a command threw. */
export function exitCodeOf(error: unknown): number {
  if (error instanceof UsageError) return ExitCode.usage;
  if (error instanceof UnfinishedError) return ExitCode.unfinished;
  if (error instanceof KvError) return OF_CODE[error.code];
  if (error instanceof CoordinatorError) {
    return error.fault === "connection-loss" ? ExitCode.unavailable : ExitCode.other;
  }
  return ExitCode.other;
}
