import { assert, assertEquals, assertRejects } from "@std/assert";
import { CoordinatorError, type Session } from "../../core/coordination/coordinator.ts";
import { breakLock, lockHolder, LockRequest, type LockWorld } from "../../core/coordination/lock.ts";
import { assertFault, contractTest, eventually, type SetUp, type Subject } from "./contract.ts";

/** What the lock recipe does over every coordinator. */
export function lockContract(name: string, setUp: SetUp): void {
  const test = (what: string, body: (subject: Subject) => Promise<void>) =>
    contractTest(`${name}: lock: ${what}`, setUp, body);

  test("goes to those in line one after the other", async ({ coordinator, root, world }) => {
    const sessions = await Promise.all(Array.from({ length: 4 }, () => coordinator.open()));
    const lockPath = `${root}/lock`;
    const order: number[] = [];
    let holders = 0;
    await Promise.all(sessions.map(async (session, i) => {
      const lock = LockRequest.enter(session, world, lockPath, `${i}`);
      await lock.acquired;
      assertEquals(++holders, 1);
      assertEquals(lock.state, "held");
      order.push(i);
      await session.transaction([{ kind: "check", path: lock.path! }]);
      holders--;
      await lock.release();
      assertEquals(lock.state, "released");
    }));
    assertEquals(order.toSorted(), [0, 1, 2, 3]);
    await eventually(async (changed) => (await sessions[0]!.children(lockPath, changed)).length === 0);
    await Promise.all(sessions.map((session) => session.close()));
  });

  test("one that waits may give up, at any moment", async ({ coordinator, root, world }) => {
    const session = await coordinator.open();
    const lockPath = `${root}/lock`;
    const held = LockRequest.enter(session, world, lockPath, "held");
    await held.acquired;
    const waiting = LockRequest.enter(session, world, lockPath, "waiting");
    const atOnce = LockRequest.enter(session, world, lockPath, "at once");
    await atOnce.release();
    await assertRejects(() => atOnce.acquired, CoordinatorError);
    await eventually(async (changed) => (await session.children(lockPath, changed)).length === 2);
    const next = LockRequest.enter(session, world, lockPath, "next");
    await eventually(async (changed) => (await session.children(lockPath, changed)).length === 3);
    await waiting.release();
    assertEquals(waiting.state, "released");
    await held.release();
    await next.acquired;
    await next.release();
    assertEquals(await session.children(lockPath), []);
    await session.close();
  });

  test("is lost with the session, and goes to the next", async ({ coordinator, root, world, expire }) => {
    const [first, second] = [await coordinator.open(), await coordinator.open()];
    const lost = LockRequest.enter(first, world, `${root}/lock`, "first");
    await lost.acquired;
    const next = LockRequest.enter(second, world, `${root}/lock`, "second");
    await expire(first);
    await lost.lost;
    assertEquals(lost.state, "lost");
    await next.acquired;
    await lost.release();
    assertEquals(lost.state, "lost");
    const ring = await second.create(`${root}/ring`, "", "persistent");
    await second.set(ring, "1", 0);
    await assertFault("no-node", () =>
      second.transaction([
        { kind: "check", path: lost.path! },
        { kind: "set", path: ring, data: "2", version: 1 },
      ]));
    await second.close();
  });

  test("can be seen and broken by others", async ({ coordinator, root, world }) => {
    const [mine, other] = [await coordinator.open(), await coordinator.open()];
    const lockPath = `${root}/lock`;
    assertEquals(await lockHolder(other, lockPath), undefined);
    const lock = LockRequest.enter(mine, world, lockPath, "127.0.0.1:1");
    await lock.acquired;
    await eventually(async (changed) => (await other.get(lockPath, changed)) !== undefined);
    await eventually(async (changed) => (await other.children(lockPath, changed)).length > 0);
    const holder = await lockHolder(other, lockPath);
    assertEquals(holder, { path: lock.path!, data: "127.0.0.1:1" });
    await breakLock(other, holder!);
    await lock.lost;
    await breakLock(other, holder!);
    await mine.close();
    await other.close();
  });

  test("holds under lost connections and lost answers", async (subject) => {
    const { coordinator, root, world, disturb } = subject;
    const lockPath = `${root}/lock`;
    const overseer = await coordinator.open();
    await retried(world, () => overseer.ensurePath(lockPath));
    const counter = await overseer.create(`${root}/counter`, "0", "persistent");
    await overseer.set(counter, "0", 0);
    disturb?.(true);
    const rounds = Array.from({ length: 4 }, async (_, i) => {
      for (let turn = 0; turn < 4; turn++) await takeTurn(subject, lockPath, counter, `${i}.${turn}`);
    });
    await Promise.all(rounds);
    disturb?.(false);
    await eventuallyEmpty(world, overseer, lockPath);
    const node = await retried(world, () => overseer.get(counter));
    // Each of the 16 turns added itself, in a write that was fenced by its lock.
    assertEquals(new Set(node!.data.split(" ").slice(1)).size, 16);
    await overseer.close();
  });
}

/** Takes the lock in a session of its own, adds its name to the counter, gives the lock back. */
async function takeTurn(subject: Subject, lockPath: string, counter: string, name: string): Promise<void> {
  const { coordinator, world } = subject;
  for (;;) {
    const session = await retried(world, () => coordinator.open());
    const lock = LockRequest.enter(session, world, lockPath, name);
    try {
      await lock.acquired;
      await retried(world, () => addOnce(session, lock, counter, name));
      await lock.release();
      await session.close();
      return;
    } catch (error) {
      await session.close();
      const lost = error instanceof CoordinatorError && ["session-expired", "no-node"].includes(error.fault);
      if (!lost) throw error;
    }
  }
}

async function addOnce(session: Session, lock: LockRequest, counter: string, name: string): Promise<void> {
  // Reads may be old, and the write may have been carried out though its answer was lost: look again until it is there.
  for (;;) {
    const node = await session.get(counter);
    assert(node !== undefined);
    if (node.data.split(" ").includes(name)) return;
    const operations = [
      { kind: "check", path: lock.path! },
      { kind: "set", path: counter, data: `${node.data} ${name}`, version: node.stat.version },
    ] as const;
    try {
      return await session.transaction(operations);
    } catch (error) {
      if (!(error instanceof CoordinatorError && error.fault === "bad-version")) throw error;
    }
  }
}

/** Carries on over lost connections. */
async function retried<T>(world: LockWorld, action: () => Promise<T>): Promise<T> {
  for (;;) {
    try {
      return await action();
    } catch (error) {
      if (!(error instanceof CoordinatorError && error.fault === "connection-loss")) throw error;
      await world.clock.sleep(50);
    }
  }
}

/** No orphan of any request stays in the line: all go at the latest with their sessions. */
async function eventuallyEmpty(world: LockWorld, session: Session, lockPath: string): Promise<void> {
  while ((await retried(world, () => session.children(lockPath))).length > 0) await world.clock.sleep(50);
}
