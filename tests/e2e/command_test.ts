/** What scripts that call kv rely on: output, exit codes, values from standard input. */

import { assertEquals, assertMatch } from "@std/assert";
import { TempFolder } from "./harness/folder.ts";
import { KvProcess, runKv } from "./harness/process.ts";

Deno.test("commands without a cluster", async (t) => {
  await t.step("--version", async () => {
    const { code, out } = await runKv(["--version"]);
    assertMatch(out, /^kv \d+\.\d+\.\d+\n$/);
    assertEquals(code, 0);
  });
  await t.step("a wrong name is a usage error that names the right one", async () => {
    const { code, out, err } = await runKv(["stauts"]);
    assertEquals({ code, out }, { code: 2, out: "" });
    assertMatch(err, /unknown command "stauts".*status/);
  });
  await t.step("a wrong flag is a usage error", async () => {
    const { code, err } = await runKv(["get", "a", "--adr", ":1"]);
    assertEquals(code, 2);
    assertMatch(err, /--adr.*--addr/);
  });
  await t.step("help of every command shows an example", async () => {
    const { code, out } = await runKv(["help"]);
    assertEquals(code, 0);
    for (
      const name of [
        "up",
        "shell",
        "get",
        "put",
        "del",
        "dump",
        "status",
        "explain",
        "plan",
        "admin",
        "bench",
        "master",
        "data",
        "standby",
      ]
    ) {
      assertMatch(out, new RegExp(`\\$ kv ${name}`));
    }
  });
  await t.step("nobody answers: exit code 3", async () => {
    using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    const addr = `127.0.0.1:${(listener.addr as Deno.NetAddr).port}`;
    listener.close();
    const { code, out, err } = await runKv(["get", "a", "--addr", addr, "--timeout-ms", "700"]);
    assertEquals({ code, out }, { code: 3, out: "" }, err);
    assertMatch(err, new RegExp(addr));
  });
});

Deno.test("commands on a cluster", async (t) => {
  await using folder = await TempFolder.make();
  await using up = new KvProcess(["up", "--addr", "127.0.0.1:", "--dir", `${folder.path}/cluster`]);
  const addr = await up.ready("master");
  await up.errorLine(/^kv is ready/);
  const kv = (args: string[], stdin?: string | Uint8Array) =>
    runKv([...args, "--addr", addr], stdin === undefined ? {} : { stdin });

  await t.step("created, updated, deleted, not found", async () => {
    assertEquals(await kv(["put", "a", "1"]), { code: 0, out: "created\n", err: "" });
    assertEquals(await kv(["put", "a", "2"]), { code: 0, out: "updated\n", err: "" });
    assertEquals(await kv(["get", "a"]), { code: 0, out: "2\n", err: "" });
    assertEquals(await kv(["del", "a"]), { code: 0, out: "deleted\n", err: "" });
    assertEquals((await kv(["get", "a"])).code, 1);
    assertEquals((await kv(["del", "a"])).code, 1);
  });
  await t.step("a condition that does not hold: exit code 1, nothing written", async () => {
    assertEquals((await kv(["put", "once", "first", "--if-absent"])).code, 0);
    assertEquals((await kv(["put", "once", "second", "--if-absent"])).code, 1);
    assertEquals((await kv(["get", "once"])).out, "first\n");
  });
  await t.step("a value from standard input, in JSON byte for byte", async () => {
    const bytes = Uint8Array.from({ length: 100_000 }, (_, i) => i % 256);
    assertEquals((await kv(["put", "picture", "-"], bytes)).code, 0);
    const { out } = await kv(["get", "picture", "--output", "json"]);
    assertEquals(Uint8Array.fromBase64(JSON.parse(out).valueBase64), bytes);
  });
  await t.step("a value that is too large is refused with both numbers", async () => {
    const { code, err } = await kv(["put", "large", "-"], new Uint8Array(2 ** 20 + 1));
    assertEquals(code, 2, err);
    assertMatch(err, /1048577.*1048576/);
  });
  await t.step("status names every server", async () => {
    const { code, out } = await kv(["status"]);
    assertEquals(code, 0);
    assertMatch(out, /^master .* active,/m);
    assertEquals(out.match(/^data .* label (0|68),/gm)?.length, 2, out);
  });
});
