/** `kv bench check` against clusters that are sound, and against some that are not: each must be convicted of its fault. */

import { assert, assertEquals, assertMatch, assertStringIncludes, assertThrows } from "@std/assert";
import { DEFAULT_MIX, drawRequest, parseMix } from "../../commands/bench/check/mix.ts";
import { runCheck, type RunOptions } from "../../commands/bench/check/run.ts";
import type { OperationRecord } from "../../core/check/records.ts";
import { judge } from "../../core/check/verdict.ts";
import type { DumpedEntry, Versioned, WriteOptions, WriteResult } from "../../core/client/api.ts";
import { systemClock } from "../../core/platform/clock.ts";
import { KvError } from "../../core/platform/errors.ts";
import { bytes, FakeClient, kv } from "./commands_fake.ts";
import { SeededRandom } from "../sim/world/random.ts";

const OPTIONS: RunOptions = {
  rate: 3000,
  durationMs: 300,
  clients: 2,
  keys: 10,
  timeoutMs: 1000,
  mix: parseMix(DEFAULT_MIX),
  keepKeys: false,
  prefix: "check-test",
};

async function run(client: FakeClient, changes: Partial<RunOptions> = {}, stop?: Promise<void>) {
  const kept: OperationRecord[] = [];
  const lines: string[] = [];
  const records = await runCheck({ ...OPTIONS, ...changes }, {
    clock: systemClock,
    random: new SeededRandom("check"),
    connect: () => Promise.resolve(client),
    keep: (record) => kept.push(record),
    report: (line) => lines.push(line),
    stop: stop ?? new Promise(() => {}),
  });
  return { kept, lines, verdict: judge(records) };
}

/** Counts puts of the load, and does something else every so often. */
abstract class Faulty extends FakeClient {
  puts = 0;

  override put(key: string, value: string, options?: WriteOptions): Promise<WriteResult> {
    return ++this.puts % 10 === 0 ? this.fault(key, value, options) : super.put(key, value, options);
  }

  /** A put that is carried out as it should be. */
  carryOut(key: string, value: string, options?: WriteOptions): Promise<WriteResult> {
    return super.put(key, value, options);
  }

  abstract fault(key: string, value: string, options?: WriteOptions): Promise<WriteResult>;
}

class Losing extends Faulty {
  override async fault(key: string, value: string, options?: WriteOptions): Promise<WriteResult> {
    const name = String(bytes(key));
    const before = this.entries.get(name);
    const result = await this.carryOut(key, value, options);
    if (before !== undefined) this.entries.set(name, before);
    return result;
  }
}

class Doubling extends Faulty {
  override async fault(key: string, value: string, options?: WriteOptions): Promise<WriteResult> {
    const result = await this.carryOut(key, value, options);
    setTimeout(() => void this.carryOut(key, value), 20);
    return result;
  }
}

class Stale extends FakeClient {
  /** By key, what a put that has been answered has replaced. */
  readonly #before = new Map<string, DumpedEntry>();
  #gets = 0;
  #stale = 0;

  override async put(key: string, value: string, options?: WriteOptions): Promise<WriteResult> {
    const before = this.entries.get(String(bytes(key)));
    const result = await super.put(key, value, options);
    if (before !== undefined && result.outcome === "updated") this.#before.set(key, before);
    return result;
  }

  override get(key: string): Promise<Versioned | undefined> {
    const before = this.#before.get(key);
    // Few and early: were the last read of a key stale, its last write would look lost.
    if (before === undefined || ++this.#gets % 5 !== 0 || this.#stale === 5) return super.get(key);
    this.#stale++;
    return Promise.resolve(before);
  }
}

class FailingAfterAll extends Faulty {
  override async fault(key: string, value: string, options?: WriteOptions): Promise<WriteResult> {
    await this.carryOut(key, value, options);
    throw new KvError("unavailable", "nothing was done, it says");
  }
}

/** Sound: every other write that it knows nothing of happens, some of them later. */
class Forgetful extends Faulty {
  override async fault(key: string, value: string, options?: WriteOptions): Promise<WriteResult> {
    if (this.puts % 80 === 0) await this.carryOut(key, value, options);
    else if (this.puts % 120 === 0) setTimeout(() => void this.carryOut(key, value, options), 50);
    throw new KvError("outcome-unknown", "who knows");
  }
}

Deno.test("check: a sound cluster passes, at the rate asked for, and is left without the keys", async () => {
  const client = new FakeClient();
  const { verdict, kept } = await run(client);
  assertEquals([verdict.outcome, verdict.unread, verdict.keys, verdict.failed], ["passed", 0, 10, 0]);
  assertEquals(kept.length, verdict.operations);
  // 900 and the last reads; fewer where the machine is so busy that the load stands still for long.
  assert(kept.length > 600 && kept.length <= 912, `${kept.length} operations`);
  assertEquals(
    kept.filter(({ client }) => client === "last").map(({ key }) => key).sort(),
    [
      ...new Set(kept.map(({ key }) => key)),
    ].sort(),
  );
  assertEquals(client.entries.size, 0);
  for (const kind of ["get", "put", "delete", "put-if", "delete-if"] as const) {
    assert(verdict.answers[kind], kind);
  }
});

Deno.test("check: the keys are left when that is asked for", async () => {
  const client = new FakeClient();
  await run(client, { keepKeys: true, durationMs: 100 });
  assert(client.entries.size > 0);
});

Deno.test("check: a cluster that loses writes is convicted", async () => {
  const { verdict } = await run(new Losing());
  assertEquals(verdict.outcome, "violated");
  // Where nothing is written over it, a lost write looks like reads that were stale.
  const { lost, stale } = verdict.violations;
  assert(lost + stale > 0, JSON.stringify(verdict.violations));
});

Deno.test("check: a cluster that applies retries twice is convicted", async () => {
  const { verdict } = await run(new Doubling());
  assertEquals(verdict.outcome, "violated");
  assert(verdict.violations.duplicated > 0, JSON.stringify(verdict.violations));
});

Deno.test("check: a cluster that gives stale answers is convicted", async () => {
  const { verdict } = await run(new Stale());
  assertEquals(verdict.outcome, "violated");
  assert(verdict.violations.stale > 0, JSON.stringify(verdict.violations));
});

Deno.test("check: a cluster that does what it says it has not done is convicted", async () => {
  const { verdict } = await run(new FailingAfterAll());
  assertEquals(verdict.outcome, "violated");
  assertStringIncludes(verdict.examples.map(({ reason }) => reason).join("\n"), "that had failed");
});

Deno.test("check: unknown outcomes, happened or not, early or late, are no violation", async () => {
  const { verdict } = await run(new Forgetful());
  assertEquals(verdict.outcome, "passed", JSON.stringify(verdict.examples));
  assert(verdict.unknown > 5, `${verdict.unknown} unknown`);
});

Deno.test("check: a key that cannot be read in the end, or no answer at all, is not a pass", async () => {
  const client = new FakeClient();
  client.failing.set("check-test-3", new KvError("unavailable", "slot 7 is unavailable"));
  const { verdict } = await run(client);
  assertEquals([verdict.outcome, verdict.unread], ["not shown", 1]);
  assertEquals(verdict.longestPause?.key, "check-test-3");
  for (let i = 0; i < 10; i++) client.failing.set(`check-test-${i}`, new KvError("unavailable", "down"));
  assertEquals((await run(client, { durationMs: 50 })).verdict.outcome, "unreachable");
});

Deno.test("check: a history that cannot be kept ends the run", async () => {
  let error: unknown;
  await runCheck(OPTIONS, {
    clock: systemClock,
    random: new SeededRandom("check"),
    connect: () => Promise.resolve(new FakeClient()),
    keep: () => {
      throw new Error("disk full");
    },
    report: () => {},
    stop: new Promise(() => {}),
  }).catch((thrown) => error = thrown);
  assertMatch(String(error), /disk full/);
});

Deno.test("check: a stopped run still gets its verdict", async () => {
  const { verdict } = await run(new FakeClient(), { durationMs: 60_000 }, systemClock.sleep(50));
  assertEquals(verdict.outcome, "passed");
});

Deno.test("kv bench check: verdict, exit code and history; --verify comes to the same verdict", async () => {
  const folder = await Deno.makeTempDir();
  try {
    const path = `${folder}/run.jsonl`;
    const words = ["bench", "check", "--output", "json"];
    const client = new Losing();
    const load = ["--seconds", "1", "--rate", "1000", "--keys", "5", "--history", path];
    const { code, stdout, stderr } = await kv(client, [...words, ...load]);
    const verdict = JSON.parse(stdout);
    assertEquals([code, verdict.verdict, verdict.linearizable], [1, "violated", "no"]);
    assertMatch(
      stderr,
      /^1 s: \d+ operations\/s, 0 failed, 0 of unknown outcome, 0 in flight, longest pause/m,
    );
    const verified = await kv(client, [...words, "--verify", path]);
    assertEquals([verified.code, JSON.parse(verified.stdout)], [1, verdict]);
    Deno.writeTextFileSync(path, '{"client":"c1"}\n');
    const bad = await kv(client, [...words, "--verify", path]);
    assertEquals(bad.code, 2);
    assertMatch(bad.stderr, /run\.jsonl:1 is no operation of a history/);
    Deno.writeTextFileSync(path, "");
    const empty = await kv(client, ["bench", "check", "--verify", path]);
    assertEquals(empty.code, 6);
    assertMatch(empty.stdout, /verdict: not shown: there are no operations\n$/);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("kv bench check: the text ends with the verdict", async () => {
  const { code, stdout } = await kv(new FakeClient(), ["bench", "check", "--seconds", "1", "--keys", "5"]);
  assertEquals(code, 0);
  assertMatch(stdout, /\nlost writes: 0\nduplicated writes: 0\nstale reads: 0\nother violations: 0\n/);
  assertMatch(stdout, /\nlinearizable: yes\nverdict: passed\n$/);
});

Deno.test("mix: weights are read and followed, mistakes are named", () => {
  const random = new SeededRandom("mix");
  const drawn = Array.from(
    { length: 1000 },
    () => drawRequest(parseMix("get=1,put-if=3"), random, () => "1", 7),
  );
  const gets = drawn.filter(({ kind }) => kind === "get").length;
  assert(gets > 200 && gets < 300, `${gets} gets`);
  assert(drawn.every((each) => each.kind === "get" || (each.kind === "put" && each.condition !== undefined)));
  assertThrows(() => parseMix("gets=1"), Error, 'unknown kind "gets"; did you mean "get"?');
  assertThrows(() => parseMix("get"), Error, '"get" is not KIND=WEIGHT');
  assertThrows(() => parseMix("get=0"), Error, "all weights are 0");
});
