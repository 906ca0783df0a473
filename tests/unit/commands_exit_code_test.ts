import { assertEquals } from "@std/assert";
import { UsageError } from "../../commands/framework/command.ts";
import { exitCodeOf, UnfinishedError } from "../../commands/framework/exit_code.ts";
import { CoordinatorError } from "../../core/coordination/coordinator.ts";
import { ConfigError } from "../../core/platform/config.ts";
import { type ErrorCode, KvError, UnreachableError } from "../../core/platform/errors.ts";
import { FakeClient, kv } from "./commands_fake.ts";

const CODES: Record<ErrorCode, number> = {
  "invalid": 2,
  "too-large": 2,
  "unavailable": 3,
  "unreachable": 3,
  "wrong-owner": 3,
  "disk-full": 3,
  "not-authorised": 6,
  "outcome-unknown": 5,
  "client-forgotten": 6,
  "damaged": 6,
  "refused": 6,
  "internal": 6,
};

for (const [code, expected] of Object.entries(CODES)) {
  Deno.test(`${code} makes the exit code ${expected}, its message on standard error`, async () => {
    const client = new FakeClient();
    client.failing.set("a", new KvError(code as ErrorCode, "this is what happened"));
    assertEquals(await kv(client, ["put", "a", "1"]), {
      code: expected,
      stdout: "",
      stdoutBytes: new Uint8Array(0),
      stderr: "kv: this is what happened\n",
    });
    assertEquals(client.closed, true);
  });
}

Deno.test("exit codes of other errors", () => {
  assertEquals(exitCodeOf(new UsageError("x")), 2);
  assertEquals(exitCodeOf(new ConfigError(["x"])), 2);
  assertEquals(exitCodeOf(new UnreachableError("x")), 3);
  assertEquals(exitCodeOf(new UnfinishedError("x")), 4);
  assertEquals(exitCodeOf(new CoordinatorError("connection-loss", "/")), 3);
  assertEquals(exitCodeOf(new CoordinatorError("bad-version", "/")), 6);
  assertEquals(exitCodeOf(new TypeError("x")), 6);
  assertEquals(exitCodeOf("x"), 6);
});
