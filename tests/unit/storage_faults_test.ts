import { assert, assertEquals, assertRejects, assertStringIncludes, assertThrows } from "@std/assert";
import { KvError } from "../../core/platform/errors.ts";
import { fnv1a32Binary } from "../../core/ring/hash.ts";
import { fileCount, fileIndex } from "../../core/ring/primes.ts";
import { Engine, RecordKind } from "../../core/storage/engine.ts";
import { SimDisk } from "../sim/world/disk.ts";
import { checkAfter, EveryChoice, Run } from "./storage_script.ts";
import {
  commitAll,
  contentOf,
  FOLDER,
  nextGroup,
  openOn,
  put,
  recordFor,
  remove,
  seeded,
  SETTINGS,
  TestClock,
  textOf,
  written,
} from "./storage_world.ts";

const newDisk = () => new SimDisk(new TestClock(), seeded(3));

/** The error of a failed storage. */
const failure = (engine: Engine) => new Promise<Error>((resolve) => engine.onFailure(resolve));

for (const syncNowBytesMax of [0, 1 << 20]) {
  const how = syncNowBytesMax > 0 ? "blocking" : "aside";

  Deno.test(`storage: a failed sync (${how}) ends the storage at once`, async () => {
    const disk = newDisk();
    const engine = await openOn(disk, { syncNowBytesMax });
    await written(engine, () => put(engine, 1, "a", "1"));
    let durable = 0;
    engine.onDurable(() => durable++);
    const failed = failure(engine);
    disk.faults.syncFails = (path) => path.endsWith(".log");
    put(engine, 1, "a", "2");
    assertStringIncludes((await failed).message, "fdatasync failed");
    disk.faults.syncFails = () => false;
    assertThrows(() => put(engine, 1, "a", "3"), KvError, "fdatasync failed");
    assertEquals([durable, engine.slot(1).durableLsn], [0, 1]);
    assertEquals(textOf(engine.read(1, "a", 0)!.value), "1");
    await assertRejects(() => engine.checkpoint(), KvError);
    await engine.close();
  });
}

Deno.test("storage: what only the page cache has after a failed sync is on the disk before it is reported", async () => {
  const disk = newDisk();
  const engine = await openOn(disk);
  const failed = failure(engine);
  disk.faults.syncFails = (path) => path.endsWith(".log");
  put(engine, 1, "a", "1");
  await failed;
  disk.faults.syncFails = () => false;
  const killed = disk.kill();
  const second = await openOn(killed);
  const seen = second.slot(1).lastLsn;
  assertEquals(seen, 1);
  const after = await openOn(killed.crash(() => 0));
  assertEquals(after.slot(1).lastLsn, seen);
  await after.close();
});

Deno.test("storage: a mark that only the page cache had is not missed after the power is lost at the next start", async () => {
  const disk = newDisk();
  const engine = await openOn(disk);
  await written(engine, () => put(engine, 1, "a", "1"));
  for (let turn = 0; turn < 10; turn++) await disk.clock.sleep(0); // lets the end of the group pass
  const before = logBytes(disk);
  // The log has gone quiet, as the second look finds: a mark is written, and not synced.
  for (let look = 0; look < 2; look++) (disk.clock as TestClock).advance(1000);
  assert(logBytes(disk) > before);
  const killed = disk.kill();
  killed.faults.syncFails = (path) => path.includes("checkpoint");
  await assertRejects(() => openOn(killed));
  const lost = killed.crash(() => 0);
  lost.faults.syncFails = () => false;
  const after = await openOn(lost);
  assertEquals(after.slot(1).damage, undefined);
  commitAll(after);
  assertEquals(textOf(after.read(1, "a", 0)!.value), "1");
  await after.close();
});

Deno.test("storage: a sync that fails in a checkpoint ends the storage; the log still has all", async () => {
  const disk = newDisk();
  const engine = await openOn(disk);
  await written(engine, () => put(engine, 1, "a", "1"));
  disk.faults.syncFails = (path) => path.includes("/files/");
  await assertRejects(() => engine.checkpoint(), KvError, "fdatasync failed");
  assert(engine.failure !== undefined);
  disk.faults.syncFails = () => false;
  const after = await openOn(disk.crash(() => 0));
  commitAll(after);
  assertEquals(textOf(after.read(1, "a", 0)!.value), "1");
  await after.close();
});

Deno.test("storage: a full disk refuses writes, reads go on, and writes come back with the room", async () => {
  const disk = newDisk();
  const clock = disk.clock as TestClock;
  disk.faults.capacityBytes = 30_000;
  const engine = await openOn(disk, { reserveBytes: 4000 });
  await written(engine, () => put(engine, 1, "a", "1"));
  let refusedAt = 0;
  for (let i = 0; refusedAt === 0; i++) {
    try {
      await written(engine, () => put(engine, 2, `k${i}`, "x".repeat(1000)));
    } catch (error) {
      assertEquals((error as KvError).code, "disk-full");
      refusedAt = i;
    }
  }
  assert(refusedAt > 3);
  assertEquals(engine.slot(2).lastLsn, refusedAt);
  assertEquals(textOf(engine.read(1, "a", 0)!.value), "1");
  await written(engine, () => remove(engine, 2, "k0"));
  await engine.checkpoint();
  disk.faults.capacityBytes = 90_000;
  clock.advance(200);
  await written(engine, () => put(engine, 2, "again", "x"));
  await engine.close();
});

Deno.test("storage: a group that the disk has no room for was never there", async () => {
  const disk = newDisk();
  const clock = disk.clock as TestClock;
  const run = new Run(await openOn(disk, { syncNowBytesMax: 0 }));
  const { engine } = run;
  run.put(1, "a", "1");
  await run.durable();
  const before = contentOf(engine);
  disk.faults.capacityBytes = disk.usedBytes() + 100;
  const rejected: [number, number, string][] = [];
  engine.onRejected((slot, fromLsn, { code }) => rejected.push([slot, fromLsn, code]));
  put(engine, 1, "a", "x".repeat(200));
  put(engine, 2, "b", "2");
  put(engine, 1, "c", "3");
  while (rejected.length < 2) await Promise.resolve();
  assertEquals(rejected.sort(), [[1, 2, "disk-full"], [2, 1, "disk-full"]]);
  assertEquals([engine.slot(1).lastLsn, engine.slot(2).lastLsn, engine.failure], [1, 0, undefined]);
  assertEquals(contentOf(engine), before);
  assertThrows(() => put(engine, 2, "b", "2"), KvError, "is full");
  disk.faults.capacityBytes = Infinity;
  clock.advance(200);
  run.put(2, "b", "4");
  await run.durable();
  const after = await openOn(disk.crash(() => 0));
  commitAll(after);
  assertEquals(contentOf(after), run.twin.content());
  await after.close();
});

Deno.test("storage: no power loss brings parts of a rejected group back", async () => {
  const disk = newDisk();
  disk.faults.sectorBytes = 64;
  const run = new Run(await openOn(disk, { syncNowBytesMax: 0 }));
  const { engine } = run;
  run.put(1, "a", "1");
  await run.durable();
  // Two records of the group fit, the third does not; the next group ends where the second record began.
  disk.faults.capacityBytes = disk.usedBytes() + 250;
  const rejection = new Promise<void>((resolve) => engine.onRejected(() => resolve()));
  for (const value of ["x", "y", "z".repeat(200)]) put(engine, 1, "a", value);
  await rejection;
  disk.faults.capacityBytes = Infinity;
  (disk.clock as TestClock).advance(200);
  run.put(1, "a", "2");
  // The group is written, its sync under way.
  for (const written = disk.changes; disk.changes < written + 2;) await Promise.resolve();
  const every = new EveryChoice();
  const left: SimDisk[] = [];
  do left.push(disk.afterPowerLoss(every.choose)); while (every.next());
  disk.crash();
  for (const each of left) await checkAfter(each, run, {});
  assert(left.length > 4);
});

Deno.test("storage: a rejected truncation gives the tail back", async () => {
  const disk = newDisk();
  const engine = await openOn(disk);
  const durable = nextGroup(engine);
  put(engine, 1, "a", "1");
  put(engine, 1, "b", "2");
  await durable;
  disk.faults.capacityBytes = 0;
  const rejection = new Promise<number>((resolve) => engine.onRejected((_, fromLsn) => resolve(fromLsn)));
  engine.append(recordFor(engine, 1, { kind: RecordKind.Truncate, lsn: 1, epoch: 1 }));
  assertEquals([engine.slot(1).lastLsn, engine.slot(1).durableLsn], [1, 1]);
  await rejection;
  assertEquals([engine.slot(1).lastLsn, engine.slot(1).durableLsn], [2, 2]);
  commitAll(engine);
  assertEquals(engine.versionOf(1, "b"), 2);
  disk.faults.capacityBytes = Infinity;
  await engine.close();
});

Deno.test("storage: no room for a checkpoint is no failure", async () => {
  const disk = newDisk();
  const engine = await openOn(disk);
  await written(engine, () => put(engine, 1, "a", "1"));
  disk.faults.capacityBytes = 0;
  const error = await assertRejects(() => engine.checkpoint(), KvError);
  assertEquals([error.code, engine.failure], ["disk-full", undefined]);
  disk.faults.capacityBytes = Infinity;
  await engine.checkpoint();
  await engine.close();
});

Deno.test("storage: a new data file is not lost when the checkpoint that synced it then met a full disk", async () => {
  const disk = newDisk();
  const engine = await openOn(disk);
  const keyIn = (index: number) =>
    Array.from({ length: 99 }, (_, i) => `${i}`).find((key) => fileIndex(fnv1a32Binary(key), 1) === index)!;
  const [inFirst, inLast] = [keyIn(0), keyIn(fileCount(1) - 1)];
  await written(engine, () => put(engine, 1, inLast, "old"));
  await engine.checkpoint();
  await written(engine, () => [inFirst, inLast].forEach((key) => put(engine, 1, key, "new")));
  disk.faults.syncFails = (path) => {
    if (path.includes("/files/")) disk.faults.capacityBytes = disk.usedBytes();
    return false;
  };
  await assertRejects(() => engine.checkpoint(), KvError, "no space left");
  Object.assign(disk.faults, { syncFails: () => false, capacityBytes: Infinity });
  await engine.checkpoint();
  const after = await openOn(disk.crash(() => 0));
  assertEquals(after.slot(1).damage, undefined);
  assertEquals([inFirst, inLast].map((key) => textOf(after.read(1, key, 0)!.value)), ["new", "new"]);
  await after.close();
});

Deno.test("storage: one process per folder", async () => {
  const disk = newDisk();
  const engine = await openOn(disk);
  const error = await assertRejects(() => openOn(disk), KvError, "in use by another process");
  assertEquals(error.code, "refused");
  await engine.close();
  const second = await openOn(disk);
  assertEquals([second.nodeId, second.incarnation], [engine.nodeId, 2]);
  await second.close();
});

Deno.test("storage: folders of other clusters and other settings are refused, with both values", async () => {
  const disk = newDisk();
  const options = {
    ...{ clock: disk.clock, random: disk.random, disk, log: () => {}, folder: FOLDER },
    ...{ clusterId: undefined, settings: SETTINGS },
  };
  const engine = await Engine.open(options);
  assertEquals(engine.clusterId, undefined);
  assertThrows(() => engine.adoptCluster("a", { ...SETTINGS, msn: 137 }), KvError, "msn 13, now msn is 137");
  engine.adoptCluster("a", SETTINGS);
  engine.adoptCluster("a", SETTINGS);
  assertThrows(() => engine.adoptCluster("b", SETTINGS), KvError, "belongs to cluster a, this is cluster b");
  await engine.close();
  const clusterId = "b";
  await assertRejects(() => Engine.open({ ...options, clusterId }), KvError, "cluster a, this is cluster b");
  const settings = { ...SETTINGS, levels: 2 };
  await assertRejects(() => Engine.open({ ...options, settings }), KvError, "levels 1, now levels is 2");
  const again = await Engine.open(options);
  assertEquals([again.clusterId, again.nodeId, again.incarnation], ["a", engine.nodeId, 2]);
  await again.close();
});

function logBytes(disk: SimDisk): number {
  return disk.list("node/log").reduce(
    (sum, name) => sum + disk.open(`node/log/${name}`, "never").sizeBytes(),
    0,
  );
}
