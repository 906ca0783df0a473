import { assert, assertEquals } from "@std/assert";
import type { Session } from "../../core/coordination/coordinator.ts";
import { LockRequest } from "../../core/coordination/lock.ts";
import type { Log } from "../../core/platform/ports.ts";
import { SimClock } from "../sim/world/clock.ts";
import { SimCoordinator } from "../sim/world/coordinator.ts";
import { type CoordinatorSettings, SimEnsemble } from "../sim/world/ensemble.ts";
import { SeededRandom } from "../sim/world/random.ts";
import { Scheduler, SimProcess } from "../sim/world/scheduler.ts";
import {
  assertFault,
  coordinatorContract,
  eventually,
  reached,
  type Subject,
} from "../zookeeper/contract.ts";
import { lockContract } from "../zookeeper/lock_contract.ts";

const silent: Log = () => {};

class SimWorld {
  readonly random: SeededRandom;
  readonly scheduler: Scheduler;
  readonly ensemble: SimEnsemble;

  constructor(seed: number, settings: Partial<CoordinatorSettings> = {}) {
    this.random = new SeededRandom(seed);
    this.scheduler = new Scheduler(this.random.fork("scheduler"));
    this.ensemble = new SimEnsemble(this.scheduler, this.random.fork("coordinator"), settings);
  }

  process(name: string): SimProcess {
    return new SimProcess(this.scheduler, name);
  }

  coordinator(process: SimProcess): SimCoordinator {
    return new SimCoordinator(this.ensemble, process, silent);
  }

  /** Steps until the test is done; a test that waits for what never comes fails. */
  async drive<T>(test: Promise<T>): Promise<T> {
    let done = false;
    const finish = () => void (done = true);
    test.then(finish, finish);
    const limitMs = this.scheduler.nowMs + 600_000;
    assert(await this.scheduler.runUntil(() => done, limitMs), "the test waits for what never comes");
    return await test;
  }

  sleep(delayMs: number): Promise<void> {
    return new Promise((resolve) => this.scheduler.after(delayMs, resolve));
  }
}

function setUp(seed: number, settings: Partial<CoordinatorSettings> = {}): () => Promise<Subject> {
  return async () => {
    const sim = new SimWorld(seed, settings);
    const process = sim.process("test");
    const coordinator = sim.coordinator(process);
    const prepare = async () => {
      const session = await coordinator.open();
      await session.ensurePath("/test");
      await session.close();
    };
    await sim.drive(prepare());
    return {
      coordinator,
      world: { clock: new SimClock(process, sim.random.fork("clock")), random: sim.random, log: silent },
      root: "/test",
      // deno-lint-ignore require-await -- the interface's promise
      expire: async (session: Session) => sim.ensemble.expire(session.id),
      disturb: (on: boolean) =>
        void Object.assign(sim.ensemble.settings, { lossBefore: on ? 0.05 : 0, lossAfter: on ? 0.05 : 0 }),
      drive: <T>(test: Promise<T>) => sim.drive(test),
      // deno-lint-ignore require-await -- the interface's promise
      [Symbol.asyncDispose]: async () => process.kill(),
    };
  };
}

coordinatorContract("simulated", setUp(1));
for (let seed = 1; seed <= 20; seed++) lockContract(`simulated, seed ${seed}`, setUp(seed));
for (let seed = 1; seed <= 20; seed++) {
  lockContract(`simulated with a lag, seed ${seed}`, setUp(seed, { lagMsMax: 300, watchLateMsMax: 1000 }));
}

Deno.test("simulated: a process that is cut off is suspended, then expired; its nodes go in time", async () => {
  const sim = new SimWorld(1);
  await sim.drive((async () => {
    const mine = await sim.coordinator(sim.process("mine")).open();
    const other = await sim.coordinator(sim.process("other")).open();
    await mine.create("/e", "", "ephemeral");
    await eventually(async (changed) => (await other.get("/e", changed)) !== undefined);
    const states: string[] = [];
    mine.onState((state) => states.push(state));
    sim.ensemble.cut("mine", true);
    await eventually(async (changed) => (await other.get("/e", changed)) === undefined);
    await assertFault("connection-loss", () => mine.get("/e"));
    sim.ensemble.cut("mine", false);
    await reached(mine, "expired");
    assertEquals(states, ["suspended", "expired"]);
  })());
});

Deno.test("simulated: a short cut and an outage of any length leave the session alive", async () => {
  const sim = new SimWorld(2);
  await sim.drive((async () => {
    const session = await sim.coordinator(sim.process("mine")).open();
    await session.create("/e", "", "ephemeral");
    let missed = 0;
    await session.get("/e", () => missed++);
    sim.ensemble.outage(true);
    await reached(session, "suspended");
    await sim.sleep(60_000);
    sim.ensemble.outage(false);
    await reached(session, "connected");
    assertEquals((await session.get("/e"))?.stat.ephemeralOwner, session.id);
    assertEquals(missed, 1);
  })());
});

Deno.test("simulated: a server without its leader says that all is well while the session ends elsewhere", async () => {
  const sim = new SimWorld(8, { servers: 2 });
  await sim.drive((async () => {
    const mine = await sim.coordinator(sim.process("mine")).open();
    const other = await sim.coordinator(sim.process("other")).open();
    await mine.create("/e", "", "ephemeral");
    await eventually(async (changed) => (await other.get("/e", changed)) !== undefined);
    // Only the server of `mine`: the other one is asked below.
    const server = [0, 1].find((index) => sim.ensemble.serverOf(mine.id) === index)!;
    assert(sim.ensemble.serverOf(other.id) !== server, "the seed puts both on one server");
    sim.ensemble.isolate(server, true);
    await eventually(async (changed) => (await other.get("/e", changed)) === undefined);
    if (mine.state === "connected") assert(await mine.get("/e") !== undefined, "it does not know yet");
    await assertFault("connection-loss", () => mine.create("/late", "", "persistent"));
    await reached(mine, "expired");
  })());
  assert(sim.ensemble.counts.has("coordinator answer of a follower cut off"));
});

Deno.test("simulated: a killed process is silent, its session ends in time; a paused one finds it ended", async () => {
  const sim = new SimWorld(3);
  await sim.drive((async () => {
    const [killed, paused, other] = [sim.process("killed"), sim.process("paused"), sim.process("other")];
    await (await sim.coordinator(killed).open()).create("/killed", "", "ephemeral");
    const sleeper = await sim.coordinator(paused).open();
    await sleeper.create("/paused", "", "ephemeral");
    const session = await sim.coordinator(other).open();
    killed.kill();
    paused.pause();
    await eventually(async (changed) => (await session.children("/", changed)).length === 0);
    assertEquals(sleeper.state, "connected");
    paused.resume();
    await reached(sleeper, "expired");
  })());
});

Deno.test("simulated: a lost answer may hide a committed write, and each write is shown to the checker", async () => {
  const sim = new SimWorld(4, { lossAfter: 1 });
  const writes: string[] = [];
  sim.ensemble.onCommit(({ path, data, version, client }) =>
    writes.push(`${client} ${path} ${version} ${data}`)
  );
  await sim.drive((async () => {
    const session = await sim.coordinator(sim.process("mine")).open();
    await assertFault("connection-loss", () => session.create("/a", "1", "persistent"));
    sim.ensemble.settings.lossAfter = 0;
    await reached(session, "connected");
    assertEquals((await session.set("/a", "2", 0)).version, 1);
    assertEquals(sim.ensemble.truth.read("/a")?.data, "2");
  })());
  assertEquals(writes, ["mine /a 0 1", "mine /a 1 2"]);
});

Deno.test("simulated: a server that lags shows old data, a compare-and-set is decided on the new", async () => {
  const sim = new SimWorld(5, { servers: 2, lagMsMax: 0 });
  await sim.drive((async () => {
    const sessions: Session[] = [];
    for (let i = 0; i < 8; i++) sessions.push(await sim.coordinator(sim.process(`p${i}`)).open());
    await sessions[0]!.create("/a", "old", "persistent");
    await Promise.all(
      sessions.map((session) =>
        eventually(async (changed) => (await session.get("/a", changed))?.data === "old")
      ),
    );
    sim.ensemble.freeze(0, true);
    sim.ensemble.freeze(1, true);
    await sessions[0]!.set("/a", "new", 0);
    const seen = await Promise.all(sessions.map(async (session) => (await session.get("/a"))!.data));
    assertEquals(new Set(seen), new Set(["new", "old"]));
    const late = sessions[seen.indexOf("old")]!;
    await assertFault("bad-version", () => late.set("/a", "lost", 0));
    sim.ensemble.freeze(0, false);
    sim.ensemble.freeze(1, false);
    assertEquals((await sessions[7]!.get("/a"))?.data, "new");
  })());
});

Deno.test("simulated: a lock is not given up because a server that lags does not show it yet", async () => {
  const sim = new SimWorld(8, { servers: 2 });
  await sim.drive((async () => {
    const process = sim.process("mine");
    const session = await sim.coordinator(process).open();
    sim.ensemble.freeze(0, true);
    sim.ensemble.freeze(1, true);
    const world = { clock: new SimClock(process, sim.random), random: sim.random, log: silent };
    const lock = LockRequest.enter(session, world, "/lock", "mine");
    await lock.acquired;
    // One server shows the lock, the other does not even show its folder: go there.
    do {
      sim.ensemble.settings.lossBefore = 1;
      await reached(session, "suspended");
      sim.ensemble.settings.lossBefore = 0;
      await reached(session, "connected");
    } while (await session.get("/lock") !== undefined);
    await sim.sleep(10_000);
    assertEquals(lock.state, "held");
    sim.ensemble.freeze(0, false);
    sim.ensemble.freeze(1, false);
    await lock.release();
    assertEquals(sim.ensemble.truth.children("/lock"), []);
  })());
});

Deno.test("simulated: the same seed goes the same way", async () => {
  const run = async () => {
    const sim = new SimWorld(6, { lossBefore: 0.1, lossAfter: 0.1 });
    await sim.drive((async () => {
      const session = await sim.coordinator(sim.process("mine")).open();
      for (let i = 0; i < 50; i++) await session.get("/a").catch(() => sim.sleep(100));
    })());
    return sim.scheduler.traceHash;
  };
  assertEquals(await run(), await run());
});
