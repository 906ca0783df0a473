import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { Metadata, status as Status } from "@grpc/grpc-js";
import type { ErrorCode as WireCode } from "../../proto/gen/kv/v1/kv.ts";
import { type ErrorCode, KvError, UnreachableError } from "../../core/platform/errors.ts";
import {
  asKvError,
  errorFromDetail,
  errorFromStatus,
  errorToDetail,
  errorToStatus,
  PlainStatus,
} from "../../core/rpc/errors.ts";

const STATUSES: Readonly<Record<ErrorCode, Status>> = {
  "wrong-owner": Status.FAILED_PRECONDITION,
  "unavailable": Status.UNAVAILABLE,
  "unreachable": Status.UNAVAILABLE,
  "too-large": Status.INVALID_ARGUMENT,
  "invalid": Status.INVALID_ARGUMENT,
  "outcome-unknown": Status.UNKNOWN,
  "client-forgotten": Status.ABORTED,
  "disk-full": Status.RESOURCE_EXHAUSTED,
  "damaged": Status.DATA_LOSS,
  "not-authorised": Status.PERMISSION_DENIED,
  "refused": Status.FAILED_PRECONDITION,
  "internal": Status.INTERNAL,
};

Deno.test("rpc errors: every code comes back as it was, by status and by detail", () => {
  for (const [code, grpcCode] of Object.entries(STATUSES)) {
    const message = `text of ${code}, with ü and %`;
    const error = code === "unreachable"
      ? new UnreachableError(message)
      : new KvError(code as ErrorCode, message, { slot: 0, ringVersion: 7 });
    const status = errorToStatus(error);
    assertEquals(status.code, grpcCode);
    for (const back of [errorFromStatus(status, "/x"), errorFromDetail(errorToDetail(error))]) {
      assertEquals([back.code, back.message, back.retryable], [error.code, message, error.retryable]);
      assertEquals([back.fields.slot, back.fields.ringVersion], [
        error.fields.slot,
        error.fields.ringVersion,
      ]);
      assertEquals(back instanceof UnreachableError, code === "unreachable");
    }
  }
});

Deno.test("rpc errors: the library's own statuses leave the outcome open, but for two", () => {
  const metadata = new Metadata();
  const codeOf = (code: Status, details: string) =>
    errorFromStatus({ code, details, metadata }, "/x from y").code;
  for (
    const code of [
      Status.UNAVAILABLE,
      Status.DEADLINE_EXCEEDED,
      Status.CANCELLED,
      Status.INTERNAL,
      Status.UNKNOWN,
    ]
  ) {
    assertEquals(codeOf(code, "?"), "unreachable");
  }
  assertEquals(codeOf(Status.RESOURCE_EXHAUSTED, "Bandwidth exhausted"), "unreachable");
  assertEquals(codeOf(Status.RESOURCE_EXHAUSTED, "Received message larger than max"), "too-large");
  assertEquals(codeOf(Status.UNIMPLEMENTED, "?"), "refused");
});

Deno.test("rpc errors: a detail that cannot be read counts as none", () => {
  const metadata = new Metadata();
  metadata.set("grpc-status-details-bin", Buffer.from([0x0a, 0xff]));
  const error = errorFromStatus({ code: Status.DATA_LOSS, details: "odd", metadata }, "/x from y");
  assertEquals(error.code, "unreachable");
  assertStringIncludes(error.message, "/x from y: odd");
});

Deno.test("rpc errors: a code of a newer program is internal", () => {
  const error = errorFromDetail({
    code: 77 as WireCode,
    message: "new",
    slot: undefined,
    ringVersion: undefined,
    clientIdAboveMs: undefined,
  });
  assertEquals([error.code, error.message], ["internal", "new"]);
});

Deno.test("rpc errors: what is no KvError is a bug, and a plain status stays plain", () => {
  const bug = new RangeError("odd");
  assertEquals(asKvError(bug).code, "internal");
  assert(asKvError(bug).cause === bug);
  const status = errorToStatus(new PlainStatus(Status.NOT_FOUND, "no service"));
  assertEquals([status.code, status.details], [Status.NOT_FOUND, "no service"]);
  assertEquals(status.metadata.toJSON(), {});
});
