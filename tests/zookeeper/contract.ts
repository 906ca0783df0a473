import { assertEquals, assertMatch, assertRejects } from "@std/assert";
import {
  type Coordinator,
  CoordinatorError,
  type CoordinatorFault,
  type Session,
} from "../../core/coordination/coordinator.ts";
import { NODE_BYTES_MAX } from "../../core/coordination/validate.ts";
import type { LockWorld } from "../../core/coordination/lock.ts";

/** One coordinator under test, and what the test may do to it. */
export interface Subject extends AsyncDisposable {
  readonly coordinator: Coordinator;
  readonly world: LockWorld;
  /** A path below which this test alone works; it exists. */
  readonly root: string;
  /** Has the servers end the session as if its client had been silent. */
  expire(session: Session): Promise<void>;
  /** Breaks connections at random moments, calls under way included, until called with false; absent: cannot be done. */
  readonly disturb?: (on: boolean) => void;
  /** Lets virtual time go on until the test is done. */
  drive<T>(test: Promise<T>): Promise<T>;
}

export type SetUp = () => Promise<Subject>;

/** Declares one test of the contract for the coordinator that `setUp` makes. */
export function contractTest(what: string, setUp: SetUp, body: (subject: Subject) => Promise<void>): void {
  Deno.test(what, async () => {
    await using subject = await setUp();
    await subject.drive(body(subject));
  });
}

/** Asserts that the call is rejected with this fault. */
export async function assertFault(fault: CoordinatorFault, call: () => Promise<unknown>): Promise<void> {
  assertEquals((await assertRejects(call, CoordinatorError)).fault, fault);
}

/** Resolves when the session is in the state. */
export function reached(session: Session, wanted: Session["state"]): Promise<void> {
  return new Promise((resolve) => {
    const stop = session.onState((state) => {
      if (state !== wanted) return;
      stop();
      resolve();
    });
    if (session.state === wanted) {
      stop();
      resolve();
    }
  });
}

/** A function to pass as `changed`, and the promise of its next call. */
export function hint(): { changed: () => void; called: Promise<void> } {
  const { promise, resolve } = Promise.withResolvers<void>();
  return { changed: resolve, called: promise };
}

/** Looks until `found`, woken by watches; a read may be a moment old. */
export async function eventually(look: (changed: () => void) => Promise<boolean>): Promise<void> {
  for (;;) {
    const { changed, called } = hint();
    if (await look(changed)) return;
    await called;
  }
}

/** What every coordinator does with nodes, versions, sequences, ephemerals, transactions and watches. */
export function coordinatorContract(name: string, setUp: SetUp): void {
  const test = (what: string, body: (subject: Subject) => Promise<void>) =>
    contractTest(`${name}: ${what}`, setUp, body);

  test("nodes are created, read, changed and removed", async ({ coordinator, root }) => {
    const session = await coordinator.open();
    const path = `${root}/a`;
    assertEquals(await session.get(path), undefined);
    assertEquals(await session.create(path, "één", "persistent"), path);
    assertEquals(await session.get(path), { data: "één", stat: { version: 0, ephemeralOwner: "0" } });
    assertEquals(await session.set(path, "", 0), { version: 1, ephemeralOwner: "0" });
    assertEquals((await session.get(path))?.data, "");
    await session.create(`${root}/b`, "", "persistent");
    assertEquals(await session.children(root), ["a", "b"]);
    await session.remove(path, 1);
    assertEquals(await session.children(root), ["b"]);
    await session.close();
  });

  test("ensurePath makes what is missing, again and again", async ({ coordinator, root }) => {
    const session = await coordinator.open();
    await session.ensurePath(`${root}/x/y/z`);
    await session.ensurePath(`${root}/x/y/z`);
    await session.ensurePath(`${root}/x/y2`);
    assertEquals(await session.children(`${root}/x`), ["y", "y2"]);
    await session.close();
  });

  test("each refusal has its fault", async ({ coordinator, root }) => {
    const session = await coordinator.open();
    const path = `${root}/a`;
    await session.create(path, "1", "persistent");
    await session.create(`${path}/child`, "", "persistent");
    await session.create(`${root}/e`, "", "ephemeral");
    await assertFault("node-exists", () => session.create(path, "2", "persistent"));
    await assertFault("no-node", () => session.create(`${root}/none/a`, "", "persistent"));
    await assertFault("bad-arguments", () => session.create(`${root}/e/a`, "", "persistent"));
    await assertFault("no-node", () => session.set(`${root}/none`, "", 1));
    await assertFault("no-node", () => session.remove(`${root}/none`));
    await assertFault("no-node", () => session.children(`${root}/none`));
    await assertFault("not-empty", () => session.remove(path));
    await assertFault("bad-version", () => session.set(path, "2", 7));
    await assertFault("bad-version", () => session.remove(`${path}/child`, 3));
    await assertFault("bad-arguments", () => session.set(path, "2", -1));
    await assertFault("bad-arguments", () => session.create("a", "", "persistent"));
    await assertFault("bad-arguments", () => session.get(`${root}/../x`));
    assertEquals((await session.get(path))?.data, "1");
    await session.close();
  });

  test("data above the limit is refused and harms nothing", async ({ coordinator, root }) => {
    const session = await coordinator.open();
    const largest = "é".repeat(NODE_BYTES_MAX / 2);
    await assertFault("too-large", () => session.create(`${root}/a`, largest + "x", "persistent"));
    await session.create(`${root}/a`, largest, "persistent");
    await assertFault("too-large", () => session.set(`${root}/a`, largest + "x", 0));
    assertEquals((await session.get(`${root}/a`))?.data, largest);
    await session.close();
  });

  test("of many that compare the same version one wins", async ({ coordinator, root }) => {
    const sessions = await Promise.all(Array.from({ length: 5 }, () => coordinator.open()));
    await sessions[0]!.create(`${root}/a`, "", "persistent");
    const results = await Promise.allSettled(
      sessions.map((session, i) => session.set(`${root}/a`, `${i}`, 0)),
    );
    const winners = results.flatMap((result, i) => (result.status === "fulfilled" ? [i] : []));
    assertEquals(winners.length, 1);
    for (const result of results) {
      if (result.status === "rejected") assertEquals(result.reason.fault, "bad-version");
    }
    assertEquals((await sessions[winners[0]!]!.get(`${root}/a`))?.data, `${winners[0]}`);
    await Promise.all(sessions.map((session) => session.close()));
  });

  test("sequential names count the parent's creations", async ({ coordinator, root }) => {
    const session = await coordinator.open();
    const make = () => session.create(`${root}/s-`, "", "ephemeral-sequential");
    assertEquals(await make(), `${root}/s-0000000000`);
    await session.create(`${root}/other`, "", "persistent");
    assertEquals(await make(), `${root}/s-0000000002`);
    await session.remove(`${root}/s-0000000002`);
    assertMatch(await make(), /\/s-0000000003$/);
    await session.close();
  });

  test("ephemeral nodes name their session and end with it", async ({ coordinator, root }) => {
    const [mine, other] = [await coordinator.open(), await coordinator.open()];
    const path = await mine.create(`${root}/e`, "here", "ephemeral");
    await eventually(async (changed) => (await other.get(path, changed)) !== undefined);
    assertEquals((await other.get(path))?.stat, { version: 0, ephemeralOwner: mine.id });
    await mine.close();
    assertEquals(mine.state, "closed");
    await eventually(async (changed) => (await other.get(path, changed)) === undefined);
    await assertFault("session-expired", () => mine.get(path));
    await mine.close();
    await other.close();
  });

  test("a session that the servers end is expired, once and for all", async ({ coordinator, root, expire }) => {
    const [mine, other] = [await coordinator.open(), await coordinator.open()];
    const path = await mine.create(`${root}/e`, "", "ephemeral");
    await other.create(`${root}/mark`, "", "persistent");
    const expired = reached(mine, "expired");
    await expire(mine);
    await expired;
    await eventually(async (changed) => (await other.get(path, changed)) === undefined);
    await assertFault("session-expired", () => mine.create(path, "", "ephemeral"));
    await mine.close();
    assertEquals(mine.state, "expired");
    assertEquals(other.state, "connected");
    await other.close();
  });

  test("transactions do all or nothing", async ({ coordinator, root }) => {
    const session = await coordinator.open();
    const [ring, lock] = [`${root}/ring`, `${root}/lock`];
    await session.create(ring, "0", "persistent");
    await session.set(ring, "1", 0);
    await session.create(lock, "", "ephemeral");
    await session.transaction([{ kind: "check", path: lock }, {
      kind: "set",
      path: ring,
      data: "2",
      version: 1,
    }]);
    assertEquals(await session.get(ring), { data: "2", stat: { version: 2, ephemeralOwner: "0" } });
    await assertFault("bad-version", () =>
      session.transaction([
        { kind: "create", path: `${root}/new`, data: "", mode: "persistent" },
        { kind: "set", path: ring, data: "3", version: 1 },
      ]));
    await session.remove(lock);
    await assertFault(
      "no-node",
      () =>
        session.transaction([{ kind: "set", path: ring, data: "3", version: 2 }, {
          kind: "check",
          path: lock,
        }]),
    );
    assertEquals((await session.get(ring))?.data, "2");
    assertEquals(await session.get(`${root}/new`), undefined);
    await session.transaction([
      { kind: "create", path: `${root}/new`, data: "n", mode: "persistent" },
      { kind: "create", path: `${root}/new/child`, data: "c", mode: "ephemeral" },
      { kind: "remove", path: ring, version: 2 },
    ]);
    assertEquals(await session.children(root), ["new"]);
    assertEquals((await session.get(`${root}/new/child`))?.data, "c");
    await session.close();
  });

  test("version 0 is refused inside a transaction, where it would match any", async ({ coordinator, root }) => {
    const session = await coordinator.open();
    const path = `${root}/a`;
    await session.create(path, "", "persistent");
    await assertFault("bad-arguments", () => session.transaction([{ kind: "check", path, version: 0 }]));
    await assertFault(
      "bad-arguments",
      () => session.transaction([{ kind: "set", path, data: "", version: 0 }]),
    );
    await assertFault("bad-arguments", () => session.transaction([{ kind: "remove", path, version: 0 }]));
    await session.close();
  });

  test("a watch tells of data, of coming and of going", async ({ coordinator, root }) => {
    const [writer, watcher] = [await coordinator.open(), await coordinator.open()];
    const path = `${root}/a`;
    const came = hint();
    assertEquals(await watcher.get(path, came.changed), undefined);
    await writer.create(path, "1", "persistent");
    await came.called;
    await eventually(async (changed) => (await watcher.get(path, changed))?.data === "1");
    const set = hint();
    await watcher.get(path, set.changed);
    await writer.set(path, "2", 0);
    await set.called;
    await eventually(async (changed) => (await watcher.get(path, changed))?.data === "2");
    const gone = hint();
    await watcher.get(path, gone.changed);
    await writer.remove(path);
    await gone.called;
    await writer.close();
    await watcher.close();
  });

  test("a watch of children tells of each that comes or goes", async ({ coordinator, root }) => {
    const [writer, watcher] = [await coordinator.open(), await coordinator.open()];
    const sees = (names: string[]) =>
      eventually(async (changed) => (await watcher.children(root, changed)).join() === names.join());
    await writer.create(`${root}/a`, "", "ephemeral");
    await sees(["a"]);
    await writer.create(`${root}/b`, "", "persistent");
    await sees(["a", "b"]);
    await writer.close();
    await sees(["b"]);
    await watcher.close();
  });

  test("a watch is called once, however often it was given", async ({ coordinator, root }) => {
    const [writer, watcher] = [await coordinator.open(), await coordinator.open()];
    await writer.create(`${root}/a`, "0", "persistent");
    await eventually(async (changed) => (await watcher.get(`${root}/a`, changed)) !== undefined);
    let calls = 0;
    const count = () => void calls++;
    for (let i = 0; i < 20; i++) await watcher.get(`${root}/a`, count);
    for (let i = 0; i < 3; i++) await writer.set(`${root}/a`, "x", i);
    // What is told in order arrives in order: once the last change is seen, the first was told.
    await eventually(async (changed) => (await watcher.get(`${root}/a`, changed))?.stat.version === 3);
    assertEquals(calls <= 1, true);
    await writer.close();
    await watcher.close();
  });

  test("a watch that throws harms nobody", async ({ coordinator, root }) => {
    const session = await coordinator.open();
    await session.get(`${root}/a`, () => {
      throw new Error("from a listener");
    });
    session.onState(() => {
      throw new Error("from a listener");
    });
    const called = hint();
    await session.get(`${root}/a`, called.changed);
    await session.create(`${root}/a`, "", "persistent");
    await called.called;
    assertEquals(session.state, "connected");
    await session.close();
  });
}
