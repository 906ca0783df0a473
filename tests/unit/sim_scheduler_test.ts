import { assert, assertEquals } from "@std/assert";
import { SimClock } from "../sim/world/clock.ts";
import { SeededRandom } from "../sim/world/random.ts";
import { Scheduler, SimProcess } from "../sim/world/scheduler.ts";

function schedulerOf(seed: number): Scheduler {
  return new Scheduler(new SeededRandom(seed));
}

/** Some processes that wait and wake each other; returns what happened in which order. */
async function busyRun(seed: number): Promise<{ readonly events: string[]; readonly hash: string }> {
  const random = new SeededRandom(seed);
  const scheduler = new Scheduler(random.fork("order"));
  const events: string[] = [];
  for (let i = 0; i < 4; i++) {
    const clock = new SimClock(new SimProcess(scheduler, `p${i}`), random.fork(`clock ${i}`), {
      rate: 1 + i / 1000,
      offsetMs: 0,
      wallAheadMs: 0,
      timerLateMsMax: 1,
    });
    void (async () => {
      for (let n = 0; n < 20; n++) {
        await clock.sleep(random.below(5));
        events.push(`${i}.${n} at ${scheduler.nowMs}`);
      }
    })();
  }
  while (await scheduler.step());
  return { events, hash: scheduler.traceHash };
}

Deno.test("scheduler: a seed always gives the same order and the same hash, another seed another", async () => {
  const [first, again, other] = [await busyRun(1), await busyRun(1), await busyRun(2)];
  assertEquals(first, again);
  assert(first.hash !== other.hash);
});

Deno.test("scheduler: events come in the order of time, each after the microtasks of the one before", async () => {
  const scheduler = schedulerOf(1);
  const seen: string[] = [];
  scheduler.at(20, () => seen.push("second"));
  scheduler.at(10, () => {
    seen.push("first");
    void Promise.resolve().then(() => Promise.resolve()).then(() => seen.push("microtask"));
  });
  scheduler.at(30, () => seen.push("never"))();
  while (await scheduler.step());
  assertEquals(seen, ["first", "microtask", "second"]);
  assertEquals(scheduler.nowMs, 20);
});

Deno.test("scheduler: events of one moment come in an order that the seed decides", async () => {
  const orders = new Set<string>();
  for (let seed = 0; seed < 20; seed++) {
    const scheduler = schedulerOf(seed);
    const seen: number[] = [];
    for (let i = 0; i < 3; i++) scheduler.at(5, () => seen.push(i));
    while (await scheduler.step());
    orders.add(seen.join());
  }
  assertEquals(orders.size, 6);
});

Deno.test("scheduler: a paused process gets its events when it goes on, in their order; a killed one none", async () => {
  const scheduler = schedulerOf(1);
  const sleeper = new SimProcess(scheduler, "sleeper");
  const victim = new SimProcess(scheduler, "victim");
  const seen: string[] = [];
  for (const at of [10, 20, 30]) {
    scheduler.at(at, () => seen.push(`sleeper ${at} at ${scheduler.nowMs}`), sleeper);
    scheduler.at(at, () => seen.push(`victim ${at}`), victim);
  }
  scheduler.at(15, () => sleeper.pause());
  scheduler.at(25, () => victim.kill());
  scheduler.at(50, () => sleeper.resume());
  while (await scheduler.step());
  assertEquals(seen.slice(0, 2).toSorted(), ["sleeper 10 at 10", "victim 10"]);
  assertEquals(seen.slice(2), ["victim 20", "sleeper 20 at 50", "sleeper 30 at 50"]);
  scheduler.after(1, () => seen.push("too late"), victim);
  while (await scheduler.step());
  assert(!seen.includes("too late"));
});

Deno.test("scheduler: a blocking call delays what else its process would do, and takes its clock's time", async () => {
  const scheduler = schedulerOf(1);
  const process = new SimProcess(scheduler, "p");
  const clock = new SimClock(process, new SeededRandom(1));
  const seen: string[] = [];
  scheduler.at(10, () => {
    process.block(100);
    seen.push(`blocked until ${clock.monotonicMs()}`);
    clock.after(5, () => seen.push("timer"));
  }, process);
  for (const at of [20, 30]) scheduler.at(at, () => seen.push(`${at} at ${scheduler.nowMs}`), process);
  scheduler.at(40, () => seen.push("another"));
  while (await scheduler.step());
  assertEquals(seen, ["blocked until 110", "another", "20 at 110", "30 at 110", "timer"]);
});

Deno.test("clock: runs at its rate, and a timer never fires before its time by that clock", async () => {
  const scheduler = schedulerOf(1);
  const settings = { rate: 1.01, offsetMs: 500, wallAheadMs: 0, timerLateMsMax: 0 };
  const clock = new SimClock(new SimProcess(scheduler, "p"), new SeededRandom(1), settings);
  const started = clock.monotonicMs();
  let fired = 0;
  clock.after(1010, () => fired = clock.monotonicMs());
  while (await scheduler.step());
  assertEquals(started, 500);
  assert(fired >= 1510 && fired < 1511, String(fired));
  assert(Math.abs(scheduler.nowMs - 1000) < 0.01, String(scheduler.nowMs));
});

Deno.test("clock: a periodic timer goes on until it is cancelled", async () => {
  const scheduler = schedulerOf(1);
  const clock = new SimClock(new SimProcess(scheduler, "p"), new SeededRandom(1));
  let count = 0;
  const cancel = clock.every(10, () => {
    if (++count === 3) cancel();
  });
  while (await scheduler.step());
  assertEquals(count, 3);
});

Deno.test("random: forks depend on the name and not on what was drawn before", () => {
  const a = new SeededRandom(5);
  const b = new SeededRandom(5);
  b.number();
  assertEquals(a.fork("x").number(), b.fork("x").number());
  assert(a.fork("x").number() !== a.fork("y").number());
  const draws = Array.from({ length: 20_000 }, () => a.below(10));
  const counts = draws.reduce(
    (sums, draw) => sums.with(draw, sums[draw]! + 1),
    new Array<number>(10).fill(0),
  );
  // About 9 standard deviations: 42 each.
  assert(counts.every((count) => Math.abs(count - 2000) < 400), counts.join());
});
