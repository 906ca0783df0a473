import { assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { crazyloop, tallyText } from "../../commands/bench/crazyloop.ts";
import type { Clock } from "../../core/platform/ports.ts";
import { KvError } from "../../core/platform/errors.ts";
import { FakeClient, kv } from "./commands_fake.ts";

const DUMP_OF_SEQUENTIAL = `DUMPING ALL!!!
-------Data server 127.0.0.1:43309 with label 0-------
    key: ds value: 98 label: 105
    key: ca value: 97 label: 130
    key: os value: 100 label: 134
    key: c value: 3 label: 34
    key: e value: 4 label: 2

-------Data server 127.0.0.1:39755 with label 68-------
    key: b value: 2 label: 85

`;

async function withKeys(): Promise<FakeClient> {
  const client = new FakeClient();
  for (const [key, value] of [["b", "2"], ["c", "3"], ["e", "4"], ["os", "100"], ["ds", "98"]] as const) {
    await client.put(key, value);
  }
  return client;
}

Deno.test("sequential prints every operation and the dump", async () => {
  const { code, stdout, stderr } = await kv(await withKeys(), ["bench", "sequential"]);
  assertEquals([code, stderr], [0, ""]);
  assertEquals(
    stdout,
    `get key: os, err: <nil>, val: 100
del key: ds err: <nil>
put key: os val: 100 err: <nil>
put key: ds val: 98 err: <nil>
put key: ca val: 97 err: <nil>
put key: st val: 96 err: <nil>
del key: st err: <nil>
get key: os, err: <nil>, val: 100
get key: ds, err: <nil>, val: 98
get key: ca, err: <nil>, val: 97
get key: st, err: not found, val: \n` + DUMP_OF_SEQUENTIAL,
  );
});

Deno.test("concurrent: a writer and three numbered readers, then the dump", async () => {
  const { code, stdout } = await kv(await withKeys(), ["bench", "concurrent"]);
  assertEquals(code, 0);
  const [before, after] = stdout.split("DUMPING ALL!!!\n");
  const lines = before!.trimEnd().split("\n");
  const puts = lines.filter((line) => line.startsWith("put"));
  assertEquals(lines[0], "put key: os val: 100 err: <nil>");
  assertEquals(puts, ["100", "99", "98", "97"].map((value) => `put key: os val: ${value} err: <nil>`));
  const gets = lines.filter((line) => /^[123] get key: os, err: <nil>, val: (100|99|98|97)$/.test(line));
  assertEquals(gets.length, 14);
  assertEquals(lines.length, 18);
  assertStringIncludes(after!, "    key: os value: 97 label: 134\n");
});

Deno.test("an operation that fails is printed with its error, the rest is done, and the exit code tells", async () => {
  const client = await withKeys();
  client.failing.set("ca", new KvError("unavailable", "slot 130 is unavailable"));
  const { code, stdout } = await kv(client, ["bench", "sequential"]);
  assertEquals(code, 3);
  assertStringIncludes(stdout, "put key: ca val: 97 err: slot 130 is unavailable\n");
  assertStringIncludes(stdout, "get key: ca, err: slot 130 is unavailable, val: \n");
  assertStringIncludes(stdout, "get key: st, err: not found, val: \n");
});

/** A clock that stands still but for sleeping, and for `operationMs` at each look. */
function steppingClock(operationMs: number): Clock {
  let nowMs = 0;
  const unused = () => {
    throw new Error("not used here");
  };
  return {
    monotonicMs: () => nowMs += operationMs,
    wallMs: unused,
    after: unused,
    every: unused,
    nextTurn: unused,
    sleep(delayMs) {
      nowMs += delayMs;
      return Promise.resolve();
    },
  };
}

function loop(
  client: FakeClient,
  clock: Clock,
  bounds: { count?: number; seconds?: number },
  stop?: Promise<void>,
) {
  let printed = "";
  const bench = { client, print: (text: string) => void (printed += text) };
  const forever = new Promise<void>(() => {});
  return crazyloop(bench, clock, { ...bounds, intervalMs: 100 }, stop ?? forever).then((tally) => ({
    tally,
    printed,
  }));
}

Deno.test("crazyloop prints each outcome and a running tally, up to its count", async () => {
  const { tally, printed } = await loop(new FakeClient(), steppingClock(1), { count: 27 });
  assertEquals([tally.operations, tally.errors], [27, 0]);
  const lines = printed.trimEnd().split("\n");
  assertEquals(lines.slice(0, 5), [
    "put key: os val: 0 err: <nil>",
    "put key: ds val: 0 err: <nil>",
    "put key: ca val: 0 err: <nil>",
    "put key: st val: 0 err: <nil>",
    "get key: os, err: <nil>, val: 0",
  ]);
  assertEquals(lines.filter((line) => /^(put|get|del) key/.test(line)).length, 27);
  assertEquals(lines.filter((line) => line.startsWith("del key")).length, 3);
  assertMatch(printed, /\noperations: 11 errors: 0 longest pause: \d+ ms\nput key/);
});

Deno.test("crazyloop: a pause lasts from the first failed try to the next success", async () => {
  const client = new FakeClient();
  for (const key of ["ds", "ca"]) client.failing.set(key, new KvError("unavailable", "down"));
  const { tally } = await loop(client, steppingClock(0), { count: 4 });
  assertEquals([tally.operations, tally.errors, tally.longestPauseMs], [4, 2, 200]);
  assertEquals(tallyText(tally), "operations: 4 errors: 2 longest pause: 200 ms\n");
});

Deno.test("crazyloop ends with its time, and when it is stopped", async () => {
  assertEquals((await loop(new FakeClient(), steppingClock(0), { seconds: 1 })).tally.operations, 10);
  const stopped = await loop(new FakeClient(), steppingClock(0), {}, Promise.resolve());
  assertEquals(stopped.tally.errors, 0);
});

Deno.test("kv bench crazyloop ends with the tally", async () => {
  const { code, stdout } = await kv(new FakeClient(), [
    "bench",
    "crazyloop",
    "--count",
    "3",
    "--interval-ms",
    "0",
  ]);
  assertEquals(code, 0);
  assertMatch(stdout.trimEnd().split("\n").at(-1)!, /^operations: 3 errors: 0 longest pause: \d+ ms$/);
});

Deno.test("kv bench crazyloop: when all failed, the exit code is that of the last error", async () => {
  const client = new FakeClient();
  for (const key of ["os", "ds"]) client.failing.set(key, new KvError("unavailable", "down"));
  const words = ["bench", "crazyloop", "--interval-ms", "0", "--count"];
  assertEquals((await kv(client, [...words, "2"])).code, 3);
  assertEquals((await kv(client, [...words, "3"])).code, 0, "the third key answers");
});

for (
  const [words, message] of [
    [["sequential", "--count", "3"], "--count does not belong to kv bench sequential"],
    [["crazyloop", "--keep", "--count", "1"], "--keep does not belong to kv bench crazyloop"],
    [["concurrent", "--output", "json"], "--output does not belong to kv bench concurrent"],
    [["check", "--interval-ms", "5"], "--interval-ms does not belong to kv bench check"],
    [
      ["check", "--seconds", "201", "--rate", "100000"],
      "takes 20000000: at this rate give at most --seconds 200",
    ],
  ] as const
) {
  Deno.test(`kv bench ${words.join(" ")}: ${message}`, async () => {
    const { code, stdout, stderr } = await kv(new FakeClient(), ["bench", ...words]);
    assertEquals([code, stdout], [2, ""]);
    assertStringIncludes(stderr, message);
  });
}
