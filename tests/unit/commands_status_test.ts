import { assertEquals, assertStringIncludes } from "@std/assert";
import type { ServerStatus } from "../../core/client/api.ts";
import { KvError } from "../../core/platform/errors.ts";
import { FakeClient, kv, node } from "./commands_fake.ts";
import { REPLY, Told } from "./insight_world.ts";

async function run(client: FakeClient, words: string[]) {
  const { code, stdout, stderr } = await kv(client, words);
  return [code, stdout, stderr];
}

Deno.test("status: a line for each server, exit code 3 when one does not answer", async () => {
  const client = new FakeClient();
  const slot = { slot: 0, epoch: 1, lastLsn: 9, committedLsn: 9, keys: 3, bytes: 70, damaged: false };
  const slots = [
    { ...slot, serving: true, reason: "" },
    { ...slot, slot: 1, serving: false, reason: "damaged" },
  ];
  const copies = { node: undefined, slots: 68, inSync: 0, lag: 0, transfer: undefined };
  const transfer = { slots: 68, bytesSent: 3e6, bytesLeft: 12e6, bytesPerSecond: 1.5e6 };
  const followers = [
    { ...copies, address: "127.0.0.1:9801", inSync: 60, lag: 1 },
    { ...copies, address: "127.0.0.1:9802", transfer },
  ];
  const servers: ServerStatus[] = [
    {
      address: "127.0.0.1:9666",
      node: undefined,
      reply: { ...REPLY, role: "master" },
    },
    {
      address: "127.0.0.1:43309",
      node: node("127.0.0.1:43309", 68),
      sync: { owned: 2, copiesLeast: 1, copiesMost: 3, followed: 0 },
      reply: { ...REPLY, role: "data", slots, followers },
    },
    {
      address: "127.0.0.1:9801",
      node: undefined,
      standby: true,
      sync: { owned: 0, copiesLeast: 0, copiesMost: 0, followed: 137 },
      reply: { ...REPLY, role: "standby" },
    },
  ];
  client.servers = servers;
  const [code, stdout] = await run(client, ["status"]);
  assertEquals(code, 3);
  assertStringIncludes(
    String(stdout),
    "master 127.0.0.1:9666 active, ring 4, coordinator connected, up 1 min, kv 0.1.0\n" +
      "data 127.0.0.1:43309 label 68, ring 4, coordinator connected, up 1 min, kv 0.1.0, " +
      "1 of 2 slots served (damaged), 6 keys, 140 bytes, log at 18, 1 to 3 copies in sync\n" +
      "  copied by 127.0.0.1:9801: 60 of 68 slots in sync, behind by 1 record\n" +
      "  copied by 127.0.0.1:9802: 0 of 68 slots in sync; " +
      "68 on the way: 3.0 MB sent, 12.0 MB left, 1.5 MB/s, 8 s to go\n" +
      "standby 127.0.0.1:9801, ring 4, coordinator connected, up 1 min, kv 0.1.0, in sync with 137 slots of others\n" +
      "verdict: unavailable: slots 0..34, 103..136: no copy in sync is alive; missing: ",
  );
  const error = new KvError("unreachable", "connection refused");
  client.servers = [...servers, { address: "127.0.0.1:1", node: node("127.0.0.1:1", 5), error }];
  const { stdout: more } = await kv(client, ["status"]);
  assertStringIncludes(more, "data 127.0.0.1:1 label 5 does not answer: connection refused\n");
  const documents = (await kv(client, ["status", "--output", "json"])).stdout.trimEnd().split("\n");
  assertEquals(JSON.parse(documents[3]!), {
    address: "127.0.0.1:1",
    label: 5,
    node: { id: "node-5", incarnation: 1 },
    error: { code: "unreachable", message: "connection refused" },
  });
});

Deno.test("status: the verdict comes last, and unavailable slots make the exit code 3", async () => {
  const told = new Told();
  const client = new FakeClient();
  const status = async (...words: string[]) => {
    client.servers = told.servers;
    client.ringChanges = told.ring;
    const { code, stdout } = await kv(client, ["status", ...words]);
    return [code, stdout.trimEnd().split("\n").slice(-2).join("\n")];
  };
  assertEquals((await status())[0], 0);
  assertStringIncludes(String((await status())[1]), "\nverdict: healthy");
  told.replies.get("a")!.minInSync = 3;
  told.replies.get("s")!.coordinator = "suspended";
  assertEquals(await status(), [
    3,
    "verdict: unavailable: slots 0..34, 103..136: no writes: in sync are 2 copies, and minInSync asks for 3; " +
    "start standbys (kv standby --data FOLDER), or wait until those there have caught up\n" +
    "  also: without the coordinator: s:1 (suspended); look after ZooKeeper (scripts/zk status " +
    "--dir FOLDER: zk-data, or kv-data/zookeeper after kv up --zookeeper); " +
    "until then nothing takes the place of what dies",
  ]);
  const [, json] = await status("--output", "json");
  const { verdict } = JSON.parse(String(json).split("\n").at(-1)!);
  assertEquals([verdict.state, verdict.problems.length, verdict.problems[0].slots.length], [
    "unavailable",
    2,
    69,
  ]);
});
