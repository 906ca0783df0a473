/**
 * The errors that cross a module's or a process's border. Each carries a code (stable, also on the wire), says what
 * failed, with which value, and the way out; `retryable` says whether the same request can succeed later.
 */

export type ErrorCode =
  | "wrong-owner"
  | "unavailable"
  | "unreachable"
  | "too-large"
  | "invalid"
  | "outcome-unknown"
  | "client-forgotten"
  | "disk-full"
  | "damaged"
  | "not-authorised"
  | "refused"
  | "internal";

export interface ErrorFields {
  /** The slot that the request was about. */
  readonly slot?: number | undefined;
  /** The newest ring version that the answering node knows. */
  readonly ringVersion?: number | undefined;
  /** With `client-forgotten`: the time in the new client id must be above this. */
  readonly clientIdAboveMs?: number | undefined;
}

export class KvError extends Error {
  override name = "KvError";
  constructor(
    readonly code: ErrorCode,
    message: string,
    readonly fields: ErrorFields = {},
    options?: ErrorOptions,
  ) {
    super(message, options);
  }

  /** Whether the same request, sent again, may succeed without anybody changing it. */
  get retryable(): boolean {
    return this.code === "wrong-owner" || this.code === "unavailable" || this.code === "unreachable" ||
      this.code === "disk-full";
  }
}

/** No answer: the connection broke, could not be made, or the time limit passed. The request may have been handled. */
export class UnreachableError extends KvError {
  override name = "UnreachableError";
  constructor(message: string, options?: ErrorOptions) {
    super("unreachable", message, {}, options);
  }
}

/** The text of whatever was thrown. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
