import { assertEquals, assertStringIncludes } from "@std/assert";
import type { ServerStatus } from "../../core/client/api.ts";
import { KvError, UnreachableError } from "../../core/platform/errors.ts";
import { bytes, FakeClient, kv, node } from "./commands_fake.ts";

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

const reply = {
  address: "127.0.0.1:9666",
  node: undefined,
  ringVersion: 4,
  coordinator: "connected",
  uptimeMs: 61_000,
  version: "0.1.0",
  writer: "",
};

Deno.test("status: a line for each server, exit code 3 when one does not answer", async () => {
  const client = new FakeClient();
  const slot = { slot: 0, epoch: 1, lastLsn: 9, committedLsn: 9, keys: 3, bytes: 70 };
  const slots = [
    { ...slot, serving: true, reason: "" },
    { ...slot, slot: 1, serving: false, reason: "damaged" },
  ];
  const servers: ServerStatus[] = [
    {
      address: "127.0.0.1:9666",
      node: undefined,
      reply: { ...reply, role: "master", active: true, slots: [] },
    },
    {
      address: "127.0.0.1:43309",
      node: node("127.0.0.1:43309", 68),
      sync: { owned: 2, copiesLeast: 1, copiesMost: 3, followed: 0 },
      reply: { ...reply, role: "data", active: true, slots },
    },
    {
      address: "127.0.0.1:9801",
      node: undefined,
      standby: true,
      sync: { owned: 0, copiesLeast: 0, copiesMost: 0, followed: 137 },
      reply: { ...reply, role: "standby", active: true, slots: [] },
    },
  ];
  client.servers = servers;
  assertEquals(await run(client, ["status"]), [
    0,
    "master 127.0.0.1:9666 active, ring 4, coordinator connected, up 1 min, kv 0.1.0\n" +
    "data 127.0.0.1:43309 label 68, ring 4, coordinator connected, up 1 min, kv 0.1.0, " +
    "1 of 2 slots served (damaged), 6 keys, 140 bytes, 1 to 3 copies in sync\n" +
    "standby 127.0.0.1:9801, ring 4, coordinator connected, up 1 min, kv 0.1.0, in sync with 137 slots of others\n",
    "",
  ]);
  const error = new KvError("unreachable", "connection refused");
  client.servers = [...servers, { address: "127.0.0.1:1", node: node("127.0.0.1:1", 5), error }];
  const [code, stdout] = await run(client, ["status"]);
  assertEquals(code, 3);
  assertStringIncludes(String(stdout), "data 127.0.0.1:1 label 5 does not answer: connection refused\n");
  const documents = (await kv(client, ["status", "--output", "json"])).stdout.trimEnd().split("\n");
  assertEquals(JSON.parse(documents[3]!), {
    address: "127.0.0.1:1",
    label: 5,
    node: { id: "node-5", incarnation: 1 },
    error: { code: "unreachable", message: "connection refused" },
  });
});

Deno.test("keys are the UTF-8 bytes of what was typed", async () => {
  const client = new FakeClient();
  await kv(client, ["put", "größe", "ö"]);
  assertEquals((await client.get(bytes("größe")))?.value, bytes("ö"));
});
