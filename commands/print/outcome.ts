/** The words for what became of a write. */

import type { WriteResult } from "../../core/client/api.ts";
import { ExitCode } from "../framework/exit_code.ts";

/** `created`, `updated`, `deleted`, `not found`, or how the condition failed. */
export function outcomeText({ outcome, version }: WriteResult): string {
  if (outcome === "not-found") return "not found";
  if (outcome !== "condition-failed") return outcome;
  return version === 0
    ? "condition failed: the key has no value"
    : `condition failed: the value has version ${version}`;
}

export function outcomeExitCode({ outcome }: WriteResult): number {
  return outcome === "not-found" || outcome === "condition-failed" ? ExitCode.notFound : ExitCode.done;
}
