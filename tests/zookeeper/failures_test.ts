import { assertEquals } from "@std/assert";
import { CoordinatorError, type Session } from "../../core/coordination/coordinator.ts";
import { LockRequest } from "../../core/coordination/lock.ts";
import { zookeeperCoordinator, type ZooKeeperOptions } from "../../core/coordination/zookeeper.ts";
import { systemClock } from "../../core/platform/clock.ts";
import type { Log, Random } from "../../core/platform/ports.ts";
import { systemRandom } from "../../core/platform/random.ts";
import { Ensemble } from "../../scripts/zk_ensemble.ts";
import { assertFault, eventually, reached } from "./contract.ts";
import { temporaryEnsemble } from "./ensemble.ts";

const silent: Log = () => {};
/** Leaves the order of the servers as it is given: the first is connected to. */
const inOrder: Random = { ...systemRandom, below: (bound) => bound - 1 };

let ensemble: Ensemble & AsyncDisposable;
let tests = 0;

Deno.test.beforeAll(async () => {
  ensemble = await temporaryEnsemble();
});

Deno.test.afterAll(async () => await ensemble[Symbol.asyncDispose]());

/** The servers, the one named first. */
function options(first: number, changes: Partial<ZooKeeperOptions> = {}): ZooKeeperOptions {
  const others = ensemble.servers.filter(({ id }) => id !== first);
  return {
    servers: [ensemble.server(first), ...others].map(({ address }) => address),
    sessionTimeoutMs: 3000,
    callTimeoutMs: 1000,
    connectTimeoutMs: 500,
    clock: systemClock,
    random: inOrder,
    log: silent,
    ...changes,
  };
}

/** A session at this server first, with an ephemeral node. */
async function sessionAt(server: number): Promise<{ session: Session; path: string; states: string[] }> {
  const session = await zookeeperCoordinator(options(server)).open();
  const path = await session.create(`/e-${++tests}`, "", "ephemeral");
  const states: string[] = [];
  session.onState((state) => states.push(state));
  return { session, path, states };
}

async function aFollower(): Promise<number> {
  return (await ensemble.modes()).indexOf("follower") + 1;
}

Deno.test("ZooKeeper: an idle session leaves a server that freezes, and lives on at another", async () => {
  const frozen = await aFollower();
  const { session, path, states } = await sessionAt(frozen);
  let hints = 0;
  await session.get(path, () => hints++);
  ensemble.server(frozen).signal("SIGSTOP");
  await reached(session, "suspended");
  await reached(session, "connected");
  assertEquals(states, ["suspended", "connected"]);
  assertEquals((await session.get(path))?.stat.ephemeralOwner, session.id);
  assertEquals(hints, 1, "what may have been missed is hinted at");
  await session.close();
  await thaw(frozen);
});

Deno.test("ZooKeeper: a call to a frozen server ends in time", async () => {
  const frozen = await aFollower();
  const { session, path } = await sessionAt(frozen);
  ensemble.server(frozen).signal("SIGSTOP");
  await assertFault("connection-loss", () => session.get(path));
  await reached(session, "connected");
  await session.close();
  await thaw(frozen);
});

Deno.test("ZooKeeper: the session of a server that is killed lives on at another", async () => {
  const killed = await aFollower();
  const { session, path, states } = await sessionAt(killed);
  const back = suspendedAndBack(session);
  await ensemble.server(killed).stop("SIGKILL");
  await back;
  assertEquals((await session.get(path))?.stat.ephemeralOwner, session.id);
  assertEquals(states, ["suspended", "connected"]);
  await session.close();
  await ensemble.start([killed]);
});

Deno.test("ZooKeeper: a lock outlives the leader of the ensemble, and those in line still get it", async () => {
  const leader = (await ensemble.leader())!;
  const [holder, waiter] = [await sessionAt(leader), await sessionAt(await aFollower())];
  const world = { clock: systemClock, random: systemRandom, log: silent };
  const held = LockRequest.enter(holder.session, world, "/lock", "holder");
  await held.acquired;
  const waiting = LockRequest.enter(waiter.session, world, "/lock", "waiter");
  await eventually(async (changed) => (await waiter.session.children("/lock", changed)).length === 2);
  const back = suspendedAndBack(holder.session);
  await ensemble.server(leader).stop("SIGKILL");
  await back;
  assertEquals([held.state, waiting.state], ["held", "waiting"]);
  await held.release();
  await waiting.acquired;
  await waiting.release();
  await holder.session.close();
  await waiter.session.close();
  await ensemble.start([leader]);
});

Deno.test("ZooKeeper: without a quorum nothing is answered; when it is back, the session is too", async () => {
  const { session, path, states } = await sessionAt(1);
  const suspended = reached(session, "suspended");
  await ensemble.server(2).stop("SIGKILL");
  await ensemble.server(3).stop("SIGKILL");
  await suspended;
  await assertFault("connection-loss", () => session.get(path));
  await assertFault("connection-loss", () => zookeeperCoordinator(options(1)).open());
  await ensemble.start([2, 3]);
  await reached(session, "connected");
  assertEquals((await session.get(path))?.stat.ephemeralOwner, session.id);
  assertEquals(new Set(states), new Set(["suspended", "connected"]));
  await session.close();
});

Deno.test("ZooKeeper: all servers freeze for longer than a session; afterwards everything works again", async () => {
  const { session } = await sessionAt(2);
  for (const server of ensemble.servers) server.signal("SIGSTOP");
  await reached(session, "suspended");
  await assertFault("connection-loss", () => zookeeperCoordinator(options(1)).open());
  await systemClock.sleep(3000); // the condition is that the servers' clocks go on while they stand still
  for (const server of ensemble.servers) server.signal("SIGCONT");
  // Whether the old session lived on is up to the servers; both ways it says so, and then a session can be used.
  const usable = await usableSoon(options(1), session);
  await usable.close();
  await session.close();
  await ensemble.start(); // waits until all serve
});

Deno.test("ZooKeeper: closing a suspended session comes to an end", async () => {
  const { session } = await sessionAt(1);
  await ensemble.stop();
  await reached(session, "suspended");
  await session.close();
  assertEquals(session.state, "closed");
  await assertFault("session-expired", () => session.get("/"));
  await ensemble.start();
});

/** To be called before what causes it: a session may be back before a server's end is noticed. */
async function suspendedAndBack(session: Session): Promise<void> {
  await reached(session, "suspended");
  await reached(session, "connected");
}

/** The server goes on, and serves again: at first it takes itself for what it was, and then has to join the others anew. */
async function thaw(server: number): Promise<void> {
  const { address } = ensemble.server(server);
  ensemble.server(server).signal("SIGCONT");
  const session = await usableSoon(options(server, { servers: [address] }));
  await session.close();
}

/**
 * A session that creates nodes: this one, or another if there is none, or it expired. What has just connected may lose
 * its server again while the servers agree on a leader: such a call is made anew.
 */
async function usableSoon(withOptions: ZooKeeperOptions, session?: Session): Promise<Session> {
  let usable = session;
  for (;;) {
    try {
      if (usable === undefined || usable.state === "expired") {
        usable = await zookeeperCoordinator(withOptions).open();
      }
      await settled(usable);
      await usable.create(`/e-${++tests}`, "", "ephemeral");
      return usable;
    } catch (error) {
      if (!(error instanceof CoordinatorError)) throw error;
      if (error.fault !== "connection-loss" && error.fault !== "session-expired") throw error;
    }
  }
}

/** Resolves when the session is connected or expired. */
async function settled(session: Session): Promise<void> {
  await Promise.race([reached(session, "connected"), reached(session, "expired")]);
}
