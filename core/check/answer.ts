/** From what the client library returns or throws to the answers that the checkers know. */

import { type ErrorCode, KvError } from "../platform/errors.ts";
import type { Answer } from "./history.ts";

/** A client's result of a get that found: the library's `Versioned`. */
export interface Found {
  readonly value: Uint8Array;
  readonly version: number;
}

/** A client's result of a write: the library's `WriteResult`. */
export interface WriteReply {
  readonly outcome: "created" | "updated" | "deleted" | "not-found" | "condition-failed";
  readonly version: number;
}

const decoder = new TextDecoder();

export function answerOfGet(found: Found | undefined): Answer {
  if (found === undefined) return { kind: "absent" };
  return { kind: "value", value: decoder.decode(found.value), version: found.version };
}

export function answerOfWrite({ outcome, version }: WriteReply): Answer {
  if (outcome === "not-found") return { kind: "absent" };
  if (outcome === "condition-failed") return { kind: outcome, version };
  return { kind: "written", version, existed: outcome !== "created" };
}

/** What an error says of a write: only "outcome-unknown" leaves it open. Undefined: no client may throw this. */
export function answerOfError(error: unknown): Answer | undefined {
  if (!(error instanceof KvError) || error.code === "internal") return undefined;
  return { kind: error.code === "outcome-unknown" ? "unknown" : "failed" };
}

/** The code of what a client threw; "internal" for what is no error of kv. */
export function codeOf(error: unknown): ErrorCode {
  return error instanceof KvError ? error.code : "internal";
}
