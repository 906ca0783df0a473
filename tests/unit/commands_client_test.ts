import { assertEquals, assertStringIncludes } from "@std/assert";
import { UnreachableError } from "../../core/platform/errors.ts";
import { program } from "../../commands/framework/program.ts";
import { bytes, FakeClient, kv, recordingIo } from "./commands_fake.ts";

async function run(client: FakeClient, words: string[], input: string | Uint8Array = "") {
  const { code, stdout, stderr } = await kv(client, words, input);
  return [code, stdout, stderr];
}

Deno.test("put, get and del say what became of it", async () => {
  const client = new FakeClient();
  assertEquals(await run(client, ["get", "a"]), [1, "", "not found\n"]);
  assertEquals(await run(client, ["put", "a", "1"]), [0, "created\n", ""]);
  assertEquals(await run(client, ["put", "a", "007"]), [0, "updated\n", ""]);
  assertEquals(await run(client, ["get", "a"]), [0, "007\n", ""]);
  assertEquals(await run(client, ["get", "a", "--raw"]), [0, "007", ""]);
  assertEquals(await run(client, ["del", "a"]), [0, "deleted\n", ""]);
  assertEquals(await run(client, ["del", "a"]), [1, "not found\n", ""]);
  assertEquals(await run(client, ["put", "", "x"]), [2, "", "kv: the key is empty\n"]);
});

Deno.test("put - takes standard input byte for byte, and get gives it back so", async () => {
  const client = new FakeClient();
  const value = new Uint8Array([0, 255, 10, 13, 10, 128]);
  assertEquals(await run(client, ["put", "b", "-"], value), [0, "created\n", ""]);
  assertEquals((await kv(client, ["get", "b", "--raw"])).stdoutBytes, value);
  assertEquals((await kv(client, ["get", "b"])).stdoutBytes, new Uint8Array([...value, 10]));
});

Deno.test("conditions", async () => {
  const client = new FakeClient();
  const failed = "condition failed: the value has version 1\n";
  assertEquals(await run(client, ["put", "a", "1", "--if-version", "1"]), [
    1,
    "condition failed: the key has no value\n",
    "",
  ]);
  assertEquals(await run(client, ["put", "a", "1", "--if-absent"]), [0, "created\n", ""]);
  assertEquals(await run(client, ["put", "a", "2", "--if-absent"]), [1, failed, ""]);
  assertEquals(await run(client, ["del", "a", "--if-version=7"]), [1, failed, ""]);
  assertEquals(await run(client, ["put", "a", "2", "--if-version=1"]), [0, "updated\n", ""]);
});

Deno.test("json: one document for each result", async () => {
  const client = new FakeClient();
  const json = async (...words: string[]) =>
    JSON.parse((await kv(client, [...words, "--output", "json"])).stdout);
  assertEquals(await json("put", "a", "1"), { key: "a", outcome: "created", version: 1 });
  assertEquals(await json("get", "a"), { key: "a", found: true, value: "1", version: 1 });
  assertEquals(await json("get", "b"), { key: "b", found: false });
  await client.put("c", new Uint8Array([255, 0]));
  assertEquals(await json("get", "c"), { key: "c", found: true, valueBase64: "/wA=", version: 2 });
  const { code, stdout } = await kv(client, ["dump", "--output=json"]);
  assertEquals(code, 0);
  assertEquals(stdout.trimEnd().split("\n").map((line) => JSON.parse(line)), [
    {
      address: "127.0.0.1:43309",
      label: 0,
      entries: [{ key: "c", valueBase64: "/wA=", version: 2, slot: 34 }],
    },
    { address: "127.0.0.1:39755", label: 68, entries: [{ key: "a", value: "1", version: 1, slot: 69 }] },
  ]);
});

Deno.test("dump prints what it has before the error of a node that does not answer", async () => {
  const client = new FakeClient();
  await client.put("c", "3");
  client.failing.set("dump", new UnreachableError("127.0.0.1:1 does not answer"));
  const [code, stdout, stderr] = await run(client, ["dump"]);
  assertEquals([code, stderr], [3, "kv: 127.0.0.1:1 does not answer\n"]);
  assertStringIncludes(String(stdout), "    key: c value: 3 label: 34\n");
});

Deno.test("keys are the UTF-8 bytes of what was typed", async () => {
  const client = new FakeClient();
  await kv(client, ["put", "größe", "ö"]);
  assertEquals((await client.get(bytes("größe")))?.value, bytes("ö"));
});

Deno.test("put - reads no more than a value can have", async () => {
  let pieces = 0;
  const io = {
    ...recordingIo(),
    async *stdin() {
      for (; pieces < 20; pieces++) yield await Promise.resolve(new Uint8Array(1 << 20));
    },
  };
  assertEquals(await program(["put", "a", "-"], io, () => Promise.resolve(new FakeClient())), 2);
  assertStringIncludes(io.stderr(), "more than 2097152 bytes, the most that valueBytesMax allows");
  assertEquals(pieces, 2);
});
