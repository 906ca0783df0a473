import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import type { NodeDump } from "../../core/client/api.ts";
import { backoffMs } from "../../core/client/backoff.ts";
import { Operation } from "../../core/client/operation.ts";
import { WriteIds } from "../../core/client/write_ids.ts";
import { KvError } from "../../core/platform/errors.ts";
import { OperationKind } from "../../proto/gen/kv/v1/kv.ts";
import { SeededRandom } from "../sim/world/random.ts";
import {
  cluster,
  KEY_A,
  KEY_B,
  keysIn,
  ringOf,
  slotOf,
  text,
  type World,
  World as NewWorld,
} from "./client_world.ts";

function entryOf(key: string) {
  const value = new TextEncoder().encode(`value of ${key}`);
  return { key: new TextEncoder().encode(key), value, version: 1, slot: slotOf(key) };
}

async function dumped(dumps: AsyncIterable<NodeDump>): Promise<[number, string[]][]> {
  const all: [number, string[]][] = [];
  for await (const { node, entries } of dumps) all.push([node.label, entries.map(({ key }) => text(key))]);
  return all;
}

function codeOf(world: World, promise: Promise<unknown>): Promise<string> {
  return world.run(promise.then(() => "no error", (error: KvError) => error.code));
}

Deno.test("keys and values are any bytes; a string is its UTF-8", async () => {
  const { world, nodes, client } = await cluster();
  await world.run(client.put("schlüssel", "größe"));
  const found = await world.run(client.get(new TextEncoder().encode("schlüssel")));
  assertEquals(text(found?.value), "größe");
  const binary = new Uint8Array([0, 255, 128]);
  await world.run(client.put(new Uint8Array([0xff, 0x00]), binary));
  assertEquals((await world.run(client.get(new Uint8Array([0xff, 0x00]))))?.value, binary);
  assertEquals((await world.run(client.delete("schlüssel"))).outcome, "deleted");
  assertEquals((await world.run(client.delete("schlüssel"))).outcome, "not-found");
  assertEquals(await world.run(client.get("schlüssel")), undefined);
  assert(nodes.every(({ streams }) => streams <= 1));
});

Deno.test("conditions reach the owner", async () => {
  const { world, nodes, client } = await cluster();
  await world.run(client.put(KEY_A, "1"));
  await world.run(client.put(KEY_A, "1", { ifAbsent: true }));
  await world.run(client.delete(KEY_A, { ifVersion: 7 }));
  assertEquals(nodes[0].operations.map(({ condition }) => condition?.kind), [
    undefined,
    { $case: "absent", absent: true },
    { $case: "version", version: 7 },
  ]);
});

Deno.test("input that makes no sense is refused before anything is sent", async () => {
  const { world, nodes, client } = await cluster({ keyBytesMax: 10, valueBytesMax: 20 });
  const refusals: [() => Promise<unknown>, string, string][] = [
    [() => client.get(""), "invalid", "the key is empty"],
    [() => client.put("12345678901", "1"), "too-large", "key of 11 bytes is over the limit of 10"],
    [() => client.put("a", "x".repeat(21)), "too-large", "value of 21 bytes is over the limit of 20"],
    [() => client.put("a", "1", { ifAbsent: true, ifVersion: 1 }), "invalid", "exclude each other"],
    [() => client.put("a", "1", { ifVersion: 0 }), "invalid", "ifVersion 0"],
    [() => client.get("a", { timeoutMs: 0 }), "invalid", "timeoutMs 0"],
    [() => client.get("a", { timeoutMs: Infinity }), "invalid", "timeoutMs Infinity"],
  ];
  for (const [call, code, words] of refusals) {
    const error = await assertRejects(() => world.run(call()), KvError, words);
    assertEquals(error.code, code);
  }
  await world.runMs(100);
  assertEquals(nodes.flatMap(({ operations }) => operations), []);
  assertThrows(() => new NewWorld().client(["127.0.0.1:1"], { timeoutMs: -1 }), KvError, "timeoutMs -1");
});

Deno.test("what no message can hold is refused, and disturbs no other operation", async () => {
  const { world, nodes, client } = await cluster();
  const huge = client.put(KEY_A, new Uint8Array(4 * 1024 * 1024));
  const other = client.put(KEY_A, "1");
  assertEquals(await codeOf(world, huge), "too-large");
  assertEquals((await world.run(other)).outcome, "created");
  assertEquals(nodes[0].streams, 1);
  // The sequence that was not used must not keep results alive at the servers.
  await world.run(client.put(KEY_A, "2"));
  assertEquals(nodes[0].batches.at(-1)!.lowestUnfinished, nodes[0].operations.at(-1)!.sequence);
});

Deno.test("many at once: rejects when one failed, after all have ended", async () => {
  const { world, nodes, client } = await cluster();
  nodes[0].script = () => "disk-full";
  const put = client.putMany([[KEY_A, "1"], [KEY_B, "1"]]);
  assertEquals(await codeOf(world, put), "disk-full");
  assertEquals(text(nodes[1].values.get(KEY_B)?.value), "1");
});

Deno.test("dump: node by node in the order of labels, also a node without keys", async () => {
  const { world, nodes, client } = await cluster();
  const [a, b] = [keysIn(0, 6, 3), keysIn(7, 12, 2)];
  nodes[0].dumpEntries = a.map(entryOf);
  assertEquals(await world.run(dumped(client.dump())), [[0, a], [6, []]]);
  nodes[1].dumpEntries = b.map(entryOf);
  assertEquals(await world.run(dumped(client.dump())), [[0, a], [6, b]]);
});

Deno.test("dump: a slot that changes hands meanwhile is read at its new owner, each key once", async () => {
  const { world, masters, nodes, client } = await cluster();
  const [a, b] = nodes;
  const [keysA, keysB] = [keysIn(0, 6, 3), keysIn(7, 12, 2)];
  a.dumpFails = new KvError("wrong-owner", "moved", { ringVersion: 2 });
  b.dumpEntries = [...keysA, ...keysB].map(entryOf);
  const dump = dumped(client.dump());
  await world.runMs(1);
  masters[0].offer(ringOf(2, [a.node, b.node], () => b.node), "quietly");
  assertEquals(await world.run(dump), [[6, keysB], [6, keysA]]);
});

Deno.test("dump: a node that does not answer is an error, after the others", async () => {
  const { world, nodes, client } = await cluster();
  const keys = keysIn(7, 12, 2);
  nodes[1].dumpEntries = keys.map(entryOf);
  nodes[0].kill();
  const seen: string[] = [];
  const dump = (async () => {
    for await (const { entries } of client.dump({ timeoutMs: 1000 })) {
      seen.push(...entries.map(({ key }) => text(key)));
    }
  })();
  const { ref, address } = nodes[0].node;
  await assertRejects(() => world.run(dump), KvError, `dump of label 0, node ${ref.id} at ${address}: `);
  assertEquals(seen, keys);
});

Deno.test("dump: a node that hangs is given up, and so is the dump of a closed client", async () => {
  for (const ending of ["time limit", "close"]) {
    const { world, nodes, client } = await cluster();
    world.network.settings.keepaliveMs = 600_000;
    nodes[0].process.pause();
    const dump = dumped(client.dump({ timeoutMs: 2000 }));
    dump.catch(() => {});
    await world.runMs(500);
    if (ending === "close") client.close();
    const words = ending === "close" ? "the client was closed" : "silent for 2000 ms";
    await assertRejects(() => world.run(dump), KvError, words);
  }
});

Deno.test("status: of all servers known, with the error of one that is down", async () => {
  const { world, masters, nodes, client } = await cluster();
  masters[1].kill();
  const all = await world.run(client.status());
  assertEquals(all.map(({ address, node }) => [address, node?.label]), [
    ["127.0.0.1:9666", undefined],
    ["127.0.0.1:9667", undefined],
    [nodes[0].node.address, 0],
    [nodes[1].node.address, 6],
  ]);
  assertEquals(all.map(({ reply }) => reply?.role), ["master", undefined, "data", "data"]);
  assertEquals(all.map(({ error }) => error?.code), [undefined, "unreachable", undefined, undefined]);
});

Deno.test("status: of the masters that wait too, which the one that is named tells", async () => {
  const { world, masters, nodes } = await cluster();
  masters[0].mastersTold = masters.map(({ node }) => node.address);
  const all = await world.run(world.client([masters[0].node.address]).status());
  const addresses = [...masters, ...nodes].map(({ node }) => node.address);
  assertEquals(all.map(({ address }) => address), addresses);
});

Deno.test("status without a ring: of the servers that were given", async () => {
  const world = new NewWorld();
  const all = await world.run(world.client(["127.0.0.1:9666"]).status());
  assertEquals(all.map(({ address, error }) => [address, error?.code]), [["127.0.0.1:9666", "unreachable"]]);
});

Deno.test("close: rejects what is under way and leaves nothing running", async () => {
  const { world, nodes, client } = await cluster();
  nodes[0].script = () => "silence";
  const sent = codeOf(world, client.put(KEY_A, "1"));
  const get = codeOf(world, client.get(KEY_A));
  await world.runUntil(() => nodes[0].operations.length === 2);
  const unsent = codeOf(world, client.put(KEY_A, "1"));
  client.close();
  client.close();
  assertEquals(await Promise.all([sent, get, unsent]), ["outcome-unknown", "unavailable", "unavailable"]);
  assertEquals(await codeOf(world, client.get(KEY_A)), "refused");
  assert(!(await world.scheduler.runUntil(() => false, world.scheduler.nowMs + 60_000)));
  assertEquals(await world.scheduler.step(), false, "no timer is left");
  assertEquals(world.network.links.size, 0, "no stream is left");
});

Deno.test("close before there is a ring", async () => {
  const world = new NewWorld();
  const client = world.client(["127.0.0.1:9666"]);
  const codes = [codeOf(world, client.ring()), codeOf(world, client.put("a", "1"))];
  await world.runMs(500);
  client.close();
  assertEquals(await Promise.all(codes), ["unavailable", "unavailable"]);
  assert(!(await world.scheduler.runUntil(() => false, world.scheduler.nowMs + 60_000)));
  assertEquals(await world.scheduler.step(), false);
});

Deno.test("write ids: the lowest unfinished sequence", () => {
  const ids = new WriteIds(new Uint8Array(16));
  const random = new SeededRandom(1);
  const unfinished: number[] = [];
  for (let i = 0; i < 2000; i++) {
    if (unfinished.length === 0 || random.chance(0.52)) unfinished.push(ids.take());
    else ids.finish(unfinished.splice(random.below(unfinished.length), 1)[0]!);
    const next = unfinished.length > 0 ? Math.min(...unfinished) : ids.lowestUnfinished;
    assertEquals(ids.lowestUnfinished, next);
  }
  for (const sequence of unfinished) ids.finish(sequence);
  assertEquals(ids.take(), ids.lowestUnfinished);
});

Deno.test("backoff: it begins again with another owner, who may be about to serve", () => {
  const nothing = () => {};
  const key = new Uint8Array([1]);
  const operation = new Operation(
    OperationKind.GET,
    key,
    key,
    undefined,
    1,
    1,
    1,
    undefined,
    0,
    nothing,
    nothing,
  );
  const node = (id: string) => ({
    node: { ref: { id, incarnation: 1 }, address: "", label: 0, leaving: false },
  });
  const refusedBy = (carrier: ReturnType<typeof node>, times: number) => {
    operation.carrier = carrier;
    for (let i = 0; i < times; i++) operation.refused(new KvError("unavailable", "not now"));
    return operation.failures;
  };
  const [before, after] = [node("before"), node("after")];
  assertEquals([refusedBy(before, 4), refusedBy(after, 1), refusedBy(after, 1)], [4, 1, 2]);
});

Deno.test("backoff: from 20 to 250 ms, at most half of it left out", () => {
  const random = new SeededRandom(2);
  for (const [failures, fullMs] of [[1, 20], [2, 40], [4, 160], [5, 250], [60, 250]] as const) {
    const waits = Array.from({ length: 200 }, () => backoffMs(failures, random));
    assert(waits.every((ms) => fullMs / 2 <= ms && ms <= fullMs));
    assert(Math.max(...waits) - Math.min(...waits) > fullMs / 4, "jitter");
  }
});
