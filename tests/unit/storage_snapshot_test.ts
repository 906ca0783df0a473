import { assert, assertEquals, assertThrows } from "@std/assert";
import { KvError } from "../../core/platform/errors.ts";
import { type Engine, type LogRecord, RecordKind } from "../../core/storage/engine.ts";
import { SimDisk } from "../sim/world/disk.ts";
import { snapshotBegin, snapshotEnd, snapshotKeep, snapshotPut } from "./storage_script.ts";
import {
  bytesOf,
  commitAll,
  openOn,
  put,
  recordFor,
  seeded,
  TestClock,
  textOf,
  written,
} from "./storage_world.ts";

const newDisk = () => new SimDisk(new TestClock(), seeded(9));

function append(engine: Engine, slot: number, ...all: Partial<LogRecord>[]): void {
  for (const fields of all) engine.append(recordFor(engine, slot, fields));
}

const synced = (engine: Engine) => new Promise<void>((resolve) => engine.whenSynced(resolve));

/** The slot's entries as `key version value`, in order. */
const entriesOf = (engine: Engine, slot: number) =>
  [...engine.entries(slot)].map(({ key, value, version }) => `${key} ${version} ${textOf(value)}`).sort();

Deno.test("snapshot: replaces the copy when it is durable, and records follow it at once", async () => {
  const disk = newDisk();
  const engine = await openOn(disk);
  await written(engine, () => put(engine, 1, "old", "1"));
  append(engine, 1, snapshotBegin(20, 3, 0), snapshotPut("a", 7, "A"), snapshotPut("b", 19, "B"));
  assertEquals([engine.slot(1).incomplete, engine.slot(1).lastLsn], [true, 0]);
  append(engine, 1, snapshotEnd(20, 3));
  const { lastLsn, lastEpoch } = engine.slot(1);
  assertEquals([lastLsn, lastEpoch, engine.epochAt(1, 20)], [20, 3, 3]);
  append(engine, 1, { key: "c", value: bytesOf("C"), epoch: 4 });
  assertEquals([engine.slot(1).lastLsn, engine.epochAt(1, 21), engine.epochAt(1, 22)], [21, 4, undefined]);
  for (const read of [() => engine.read(1, "a", 0), () => engine.keysOf(1), () => engine.digestAt(1)]) {
    assertEquals(assertThrows(read, KvError).code, "unavailable");
  }
  await synced(engine);
  const { committedLsn, committedEpoch, durableLsn, incomplete } = engine.slot(1);
  assertEquals([committedLsn, committedEpoch, durableLsn, incomplete], [20, 3, 21, false]);
  assertEquals(entriesOf(engine, 1), ["a 7 A", "b 19 B"]);
  assertEquals(engine.commit(1, 21).map(({ key }) => key), ["c"]);
  const again = await openOn(disk.kill());
  commitAll(again);
  assertEquals(entriesOf(again, 1), ["a 7 A", "b 19 B", "c 21 C"]);
  assertEquals([again.digestAt(1), again.clientResults(1).length], [engine.digestAt(1), 8]);
  await again.close();
});

Deno.test("snapshot: cut short by a restart, it leaves an incomplete slot, which the next one completes", async () => {
  const disk = newDisk();
  const engine = await openOn(disk);
  await written(engine, () => ["keep", "change", "drop"].forEach((key) => put(engine, 1, key, "1")));
  append(engine, 1, snapshotBegin(9, 1, 3), snapshotPut("change", 8, "2"));
  await synced(engine);
  const killed = disk.kill();
  const again = await openOn(killed);
  const { committedLsn, incomplete } = again.slot(1);
  assertEquals([committedLsn, incomplete], [3, true]);
  for (const fields of [{ key: "x" }, { kind: RecordKind.Truncate, lsn: 3 }, snapshotPut("x", 9, "")]) {
    assertEquals(assertThrows(() => append(again, 1, fields), KvError).code, "unavailable");
  }
  assertThrows(() => append(again, 1, snapshotBegin(9, 1, 4)), RangeError, "since lsn 4");
  append(
    again,
    1,
    snapshotBegin(12, 2, 3),
    snapshotKeep("keep", 1),
    snapshotPut("change", 7, "lower version"),
  );
  await again.checkpoint();
  append(again, 1, snapshotEnd(12, 2));
  await synced(again);
  const expected = ["change 7 lower version", "keep 1 1"];
  assertEquals(entriesOf(again, 1), expected);
  await again.close();
  const last = await openOn(killed);
  assertEquals(entriesOf(last, 1), expected);
  await last.close();
});

Deno.test("snapshot: an entry to be kept that the copy does not have is damage; a snapshot of all heals it", async () => {
  const disk = newDisk();
  const engine = await openOn(disk);
  const told: [number, string][] = [];
  engine.onDamage((slot, { reason }) => told.push([slot, reason]));
  await written(engine, () => put(engine, 1, "a", "1"));
  append(engine, 1, snapshotBegin(9, 1, 1), snapshotKeep("a", 2), snapshotKeep("b", 1));
  await synced(engine);
  await Promise.resolve();
  assertEquals(told, [[1, "the copy has version 1 of a key instead of version 2"]]);
  assertEquals(assertThrows(() => append(engine, 1, snapshotEnd(9, 1)), KvError).code, "damaged");
  assertEquals(assertThrows(() => append(engine, 1, snapshotBegin(9, 1, 1)), KvError).code, "damaged");
  append(engine, 1, snapshotBegin(9, 1, 0), snapshotPut("a", 5, "5"), snapshotEnd(9, 1));
  append(engine, 1, { key: "b", value: bytesOf("6") });
  await synced(engine);
  assertEquals([engine.slot(1).damage, entriesOf(engine, 1)], [undefined, ["a 5 5"]]);
  const again = await openOn(disk.kill());
  commitAll(again);
  assertEquals(entriesOf(again, 1), ["a 5 5", "b 10 6"]);
  await again.close();
});

Deno.test("snapshot: what the full disk refuses is taken back, and the snapshot must begin anew", async () => {
  const disk = newDisk();
  const engine = await openOn(disk, { syncNowBytesMax: 0 });
  await written(engine, () => put(engine, 1, "a", "1"));
  const rejected: number[] = [];
  engine.onRejected((_, fromLsn) => rejected.push(fromLsn));
  const refuse = async (...all: Partial<LogRecord>[]) => {
    disk.faults.capacityBytes = 0;
    append(engine, 1, ...all);
    await synced(engine);
    disk.faults.capacityBytes = Infinity;
    (disk.clock as TestClock).advance(200);
  };
  await refuse(snapshotBegin(9, 1, 0), snapshotPut("b", 5, "x"), snapshotEnd(9, 1), { key: "c" });
  assertEquals([rejected, engine.slot(1).incomplete, entriesOf(engine, 1)], [[2], false, ["a 1 1"]]);
  append(engine, 1, snapshotBegin(9, 1, 0), snapshotPut("b", 5, "x"));
  await synced(engine);
  await refuse(snapshotPut("c", 6, "y"), snapshotEnd(9, 1), { key: "d" });
  assertEquals(engine.slot(1).incomplete, true);
  assertEquals(assertThrows(() => append(engine, 1, snapshotEnd(9, 1)), KvError).code, "unavailable");
  append(engine, 1, snapshotBegin(9, 1, 0), snapshotEnd(9, 1));
  await synced(engine);
  assertEquals([entriesOf(engine, 1), engine.slot(1).lastLsn], [[], 9]);
  const again = await openOn(disk.kill());
  assertEquals([entriesOf(again, 1), again.slot(1).committedLsn], [[], 9]);
  await again.close();
});

Deno.test("drop: as if there had never been anything of the slot, in memory, in the files, and after a start", async () => {
  const disk = newDisk();
  const engine = await openOn(disk);
  const client = { clientId: "client-id-a-----", sequence: 1, lowestUnfinished: 1, outcome: 1 };
  await written(engine, () => {
    append(engine, 1, { key: "a", value: bytesOf("x".repeat(9000)), ...client });
    put(engine, 2, "a", "stays");
  });
  await engine.checkpoint();
  put(engine, 1, "tail", "never committed");
  engine.drop(1);
  assertEquals([engine.slot(1).lastLsn, engine.slot(1).lastEpoch], [0, 0]);
  await synced(engine);
  const nothing = (of: Engine) => {
    const { lastLsn, lastEpoch, committedLsn, durableLsn, writtenLsn, keys, bytes, digest } = of.slot(1);
    assertEquals([lastLsn, lastEpoch, committedLsn, durableLsn, writtenLsn], [0, 0, 0, 0, 0]);
    assertEquals([keys, bytes, digest, of.sessions(1).size, of.slot(1).tail.length], [0, 0, 0, 0, 0]);
    assertEquals([of.slot(1).incomplete, entriesOf(of, 2)], [false, ["a 1 stays"]]);
  };
  nothing(engine);
  await engine.checkpoint();
  await engine.compacted();
  const bytes = disk.paths().filter((path) => path.includes("/files/")).map((path) =>
    disk.content(path).length
  );
  assert(Math.max(...bytes) < 9000, `files of ${bytes}`);
  const killed = disk.kill();
  const again = await openOn(killed);
  nothing(again);
  await written(again, () => put(again, 1, "b", "new"));
  assertEquals(entriesOf(again, 1), ["b 1 new"]);
  await again.close();
  const last = await openOn(killed, { compactBytesMin: 1 << 20 });
  assertEquals(entriesOf(last, 1), ["b 1 new"]);
  for (const slot of [1, 2]) last.drop(slot);
  await synced(last);
  await last.checkpoint();
  await last.compacted();
  assertEquals(killed.paths().filter((path) => path.includes("/files/")), [], "of whatever size");
  await last.close();
});

Deno.test("drop: what the full disk refuses is taken back, and a drop heals damage", async () => {
  const disk = newDisk();
  const engine = await openOn(disk, { syncNowBytesMax: 0 });
  await written(engine, () => put(engine, 1, "a", "1"));
  disk.faults.capacityBytes = 0;
  engine.drop(1);
  await synced(engine);
  assertEquals([engine.slot(1).incomplete, entriesOf(engine, 1)], [false, ["a 1 1"]]);
  disk.faults.capacityBytes = Infinity;
  (disk.clock as TestClock).advance(200);
  engine.distrust(1, "as a test wants");
  engine.drop(1);
  await synced(engine);
  const { damage, incomplete, lastLsn } = engine.slot(1);
  assertEquals([damage, incomplete, lastLsn, entriesOf(engine, 1)], [undefined, false, 0, []]);
  await engine.close();
});

Deno.test("snapshot: a damaged file is rewritten when no slot is damaged any more", async () => {
  const disk = newDisk();
  const engine = await openOn(disk, { cacheBytesMax: 0 });
  await written(engine, () => {
    put(engine, 1, "a", "x".repeat(9000));
    put(engine, 2, "a", "y");
  });
  await engine.checkpoint();
  const files = () => disk.paths().filter((each) => each.includes("/files/"));
  const [path] = files();
  disk.flip(path!, 100, 0);
  assertThrows(() => engine.read(1, "a"), KvError, path!);
  await engine.checkpoint();
  await engine.compacted();
  assertEquals(files(), [path]);
  append(engine, 1, snapshotBegin(1, 1, 0), snapshotPut("a", 1, "new"), snapshotEnd(1, 1));
  await synced(engine);
  await engine.checkpoint();
  await engine.compacted();
  assert(!files().includes(path!));
  assertEquals([...entriesOf(engine, 1), ...entriesOf(engine, 2)], ["a 1 new", "a 1 y"]);
  await engine.close();
});

Deno.test("engine: when all is synced, and how long the oldest append has been waiting", async () => {
  const disk = newDisk();
  const clock = disk.clock as TestClock;
  const engine = await openOn(disk, { syncNowBytesMax: 0 });
  const told: string[] = [];
  engine.whenSynced(() => told.push("nothing to wait for"));
  assertEquals([told.length, engine.oldestUnsyncedMs()], [1, 0]);
  put(engine, 1, "a", "1");
  engine.whenSynced(() => told.push(`a ${engine.slot(1).durableLsn}`));
  await Promise.resolve();
  put(engine, 1, "b", "2");
  engine.whenSynced(() => told.push(`b ${engine.slot(1).durableLsn}`));
  clock.advance(7);
  assert(engine.oldestUnsyncedMs() >= 7);
  engine.onDurable(() => told.push("listener"));
  await synced(engine);
  assertEquals(told.slice(1), ["listener", "a 1", "listener", "b 2"]);
  assertEquals(engine.oldestUnsyncedMs(), 0);
  await engine.close();
});

Deno.test("engine: a truncation, and other records at its LSNs, in one group and over several", async () => {
  const disk = newDisk();
  const engine = await openOn(disk, { syncNowBytesMax: 0 });
  const told: [string, number, number][] = [];
  const tell = (what: string) =>
    engine.whenSynced(() => told.push([what, engine.slot(1).durableLsn, engine.slot(1).lastEpoch]));
  const key = "k";
  append(engine, 1, { key, epoch: 1 }, { key, epoch: 1 }, { key, epoch: 1 });
  tell("first");
  await Promise.resolve(); // its sync is under way
  append(engine, 1, { kind: RecordKind.Truncate, lsn: 1, epoch: 1 }, { key, epoch: 2 });
  tell("second");
  await synced(engine);
  append(engine, 1, { key, epoch: 2 }, { kind: RecordKind.Truncate, lsn: 2, epoch: 2 }, { key, epoch: 3 });
  tell("third");
  await synced(engine);
  assertEquals(told, [["first", 1, 2], ["second", 2, 2], ["third", 3, 3]]);
  const again = await openOn(disk.kill());
  const { tail, durableLsn } = again.slot(1);
  assertEquals([tail.map(({ lsn, epoch }) => [lsn, epoch]), durableLsn], [[[1, 1], [2, 2], [3, 3]], 3]);
  await again.close();
});
