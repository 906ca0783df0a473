/** The only place where errors become gRPC statuses and details, and the reverse. The table of kv.proto, as code. */

import { Metadata, status as Status, type StatusObject } from "@grpc/grpc-js";
import { Status as RpcStatus } from "../../proto/gen/google/rpc/status.ts";
import { ErrorCode as WireCode, ErrorDetail } from "../../proto/gen/kv/v1/kv.ts";
import { type ErrorCode, KvError, messageOf, UnreachableError } from "../platform/errors.ts";

const DETAILS_KEY = "grpc-status-details-bin";
const DETAIL_TYPE = "type.googleapis.com/kv.v1.ErrorDetail";

const WIRE: Readonly<Record<ErrorCode, readonly [WireCode, Status]>> = {
  "wrong-owner": [WireCode.WRONG_OWNER, Status.FAILED_PRECONDITION],
  "unavailable": [WireCode.UNAVAILABLE, Status.UNAVAILABLE],
  "unreachable": [WireCode.UNREACHABLE, Status.UNAVAILABLE],
  "too-large": [WireCode.TOO_LARGE, Status.INVALID_ARGUMENT],
  "invalid": [WireCode.INVALID, Status.INVALID_ARGUMENT],
  "outcome-unknown": [WireCode.OUTCOME_UNKNOWN, Status.UNKNOWN],
  "client-forgotten": [WireCode.CLIENT_FORGOTTEN, Status.ABORTED],
  "disk-full": [WireCode.DISK_FULL, Status.RESOURCE_EXHAUSTED],
  "damaged": [WireCode.DAMAGED, Status.DATA_LOSS],
  "not-authorised": [WireCode.NOT_AUTHORISED, Status.PERMISSION_DENIED],
  "refused": [WireCode.REFUSED, Status.FAILED_PRECONDITION],
  "internal": [WireCode.INTERNAL, Status.INTERNAL],
};

const CODES: ReadonlyMap<WireCode, ErrorCode> = new Map(
  Object.entries(WIRE).map(([code, [wire]]) => [wire, code as ErrorCode]),
);

/** What a gRPC call is answered with when it fails. */
export interface ErrorStatus {
  readonly code: Status;
  readonly details: string;
  readonly metadata: Metadata;
}

/** Thrown by services that are not kv's own, whose errors are plain gRPC statuses without a detail. */
export class PlainStatus extends Error {
  override name = "PlainStatus";
  constructor(readonly status: Status, message: string) {
    super(message);
  }
}

/** Whatever was thrown, as a KvError; what is none is a bug, so `internal`. */
export function asKvError(error: unknown): KvError {
  return error instanceof KvError ? error : new KvError("internal", messageOf(error), {}, { cause: error });
}

export function errorToDetail(error: KvError): ErrorDetail {
  return {
    code: WIRE[error.code][0],
    message: error.message,
    slot: error.fields.slot,
    ringVersion: error.fields.ringVersion,
    clientIdAboveMs: error.fields.clientIdAboveMs,
  };
}

/** A code that is not known here (a newer program) becomes `internal`. */
export function errorFromDetail(detail: ErrorDetail): KvError {
  const code = CODES.get(detail.code) ?? "internal";
  if (code === "unreachable") return new UnreachableError(detail.message);
  const { slot, ringVersion, clientIdAboveMs } = detail;
  return new KvError(code, detail.message, { slot, ringVersion, clientIdAboveMs });
}

/** The status that carries the error to the caller, with its detail. */
export function errorToStatus(thrown: unknown): ErrorStatus {
  if (thrown instanceof PlainStatus) {
    return { code: thrown.status, details: thrown.message, metadata: new Metadata() };
  }
  const error = asKvError(thrown);
  const code = WIRE[error.code][1];
  const metadata = new Metadata();
  const detail = { typeUrl: DETAIL_TYPE, value: ErrorDetail.encode(errorToDetail(error)).finish() };
  const packed = RpcStatus.encode({ code, message: error.message, details: [detail] }).finish();
  metadata.set(DETAILS_KEY, Buffer.from(packed.buffer, packed.byteOffset, packed.byteLength));
  return { code, details: error.message, metadata };
}

/**
 * The error that a status other than OK means to the caller of `what`: the one that the server sent, where it sent a
 * detail; otherwise the status is the gRPC library's own. Of those, a few say that the request was not handled; all
 * others leave that open.
 */
export function errorFromStatus(status: StatusObject, what: string): KvError {
  const detail = detailOf(status.metadata);
  if (detail !== undefined) return errorFromDetail(detail);
  const message = `${what}: ${status.details}`;
  switch (status.code) {
    case Status.UNIMPLEMENTED:
      return new KvError("refused", `${message}; the server is of another version or serves another role`);
    case Status.RESOURCE_EXHAUSTED:
      if (status.details.includes("larger than")) return new KvError("too-large", message);
    // falls through
    default:
      return new UnreachableError(`no answer to ${message}`);
  }
}

function detailOf(metadata: Metadata | undefined): ErrorDetail | undefined {
  const packed = metadata?.get(DETAILS_KEY)[0];
  if (packed === undefined || typeof packed === "string") return undefined;
  try {
    const any = RpcStatus.decode(new Uint8Array(packed)).details.find(({ typeUrl }) =>
      typeUrl === DETAIL_TYPE
    );
    return any && ErrorDetail.decode(any.value);
  } catch {
    return undefined;
  }
}
