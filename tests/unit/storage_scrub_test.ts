import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { KvError } from "../../core/platform/errors.ts";
import { type Engine, RecordKind } from "../../core/storage/engine.ts";
import { SimDisk } from "../sim/world/disk.ts";
import { snapshotBegin, snapshotPut } from "./storage_script.ts";
import {
  commitAll,
  openOn,
  put,
  recordFor,
  remove,
  seeded,
  TestClock,
  textOf,
  written,
} from "./storage_world.ts";

const newDisk = () => new SimDisk(new TestClock(), seeded(13));
const SCRUB = { scrubBytesPerSecond: 1 << 20, compactBytesMin: 1 << 20 };

const dataFiles = (disk: SimDisk) => disk.paths().filter((each) => each.includes("/files/"));

const largest = (disk: SimDisk) =>
  dataFiles(disk).reduce((a, b) => disk.content(a).length >= disk.content(b).length ? a : b);

/** Lets the timers fire for some time, one after the other. */
function pass(disk: SimDisk, seconds: number): void {
  for (let i = 0; i < seconds * 10; i++) (disk.clock as TestClock).advance(100);
}

/** An engine with entries of slots 1 to 3, some of them replaced or removed, all in files on the disk. */
async function filled(disk: SimDisk): Promise<Engine> {
  const engine = await openOn(disk, SCRUB);
  await written(engine, () => {
    for (const slot of [1, 2, 3]) {
      for (let i = 0; i < 8; i++) put(engine, slot, `key ${i}`, `${slot}`.repeat(600 + 40 * i));
      put(engine, slot, "key 0", "replaced");
      remove(engine, slot, "key 1");
    }
  });
  await engine.checkpoint();
  return engine;
}

Deno.test("scrub: finds every flipped byte of live records, in the slot that it belongs to, and no other", async () => {
  const truth = await filled(newDisk());
  const disk = truth.options.disk as SimDisk;
  let [damaged, harmless] = [0, 0];
  for (const path of dataFiles(disk)) {
    // What is behind the last complete block is in memory, and will be written again.
    for (let offset = 0; offset < disk.content(path).length - 4096; offset += 31) {
      const copy = disk.copy();
      const engine = await openOn(copy, SCRUB);
      const told: number[] = [];
      engine.onDamage((slot) => told.push(slot));
      copy.flip(path, offset, offset % 8);
      pass(copy, 25);
      await Promise.resolve();
      for (const slot of [1, 2, 3]) {
        const { damage } = engine.slot(slot);
        assertEquals(damage !== undefined, told.includes(slot));
        if (damage === undefined) assertEquals(contentOfSlot(engine, slot), contentOfSlot(truth, slot));
        else assertEquals(damage.file, path);
      }
      assert(told.length <= 1, `${told}`);
      if (told.length > 0) damaged++;
      else harmless++;
      await engine.close();
    }
  }
  assert(damaged > 2 * harmless && harmless > 0, `${damaged} damaged, ${harmless} harmless`);
  await truth.close();
});

const contentOfSlot = (engine: Engine, slot: number) =>
  [...engine.entries(slot)].map(({ key, value, version }) => [key, version, textOf(value)]).sort();

Deno.test("scrub: keeps to its rate, goes on while others write, and looks at long values", async () => {
  const disk = newDisk();
  const engine = await openOn(disk, { ...SCRUB, valueBytesMax: 1 << 20, cacheBytesMax: 0 });
  const long = "x".repeat(300_000);
  await written(engine, () => ["a", "b", "c", "d"].forEach((key) => put(engine, 1, key, long)));
  await engine.checkpoint();
  pass(disk, 21); // two rests: before the first pass, and after it found that there is something
  await written(engine, () => put(engine, 2, "another", "one"));
  const path = largest(disk);
  disk.flip(path, disk.content(path).length - 5000, 1);
  assertEquals(engine.slot(1).damage, undefined);
  pass(disk, 40);
  assertEquals(engine.slot(1).damage?.file, path);
  assertEquals(engine.slot(2).damage, undefined);
  await engine.close();
});

Deno.test("scrub: tells of a record that is not where it should be, and of none that moves under its eyes", async () => {
  const disk = newDisk();
  // Small steps, and a file that is compacted and written to all the while.
  const engine = await openOn(disk, {
    scrubBytesPerSecond: 64 << 10,
    compactBytesMin: 4096,
    compactStepBytes: 500,
  });
  const { state } = engine.recovered;
  for (let round = 0; round < 60; round++) {
    await written(engine, () => {
      for (let i = 0; i < 20; i++) {
        put(engine, 1 + i % 3, `key ${(round * 7 + i) % 50}`, `${round} `.repeat(700));
      }
      if (round % 5 === 0) remove(engine, 1, `key ${round % 50}`);
    });
    if (round % 10 === 9) await engine.checkpoint();
    pass(disk, 7);
    assertEquals([1, 2, 3].map((slot) => engine.slot(slot).damage), [undefined, undefined, undefined]);
  }
  await engine.compacted();
  const row = [...engine.recovered.slots[2]!.index.rows()][0]!;
  state.places.move(row, state.places.file(row), state.places.offset(row) + 1);
  pass(disk, 300);
  assertEquals([1, 2, 3].map((slot) => engine.slot(slot).damage?.reason), [
    undefined,
    "records are not in the files",
    undefined,
  ]);
  await engine.close();
});

const damagedSlot = (engine: Engine) => [1, 2, 3].find((each) => engine.slot(each).damage !== undefined)!;

Deno.test("salvage: what is readable stays, the rest goes, and LSNs go on far above", async () => {
  const disk = newDisk();
  let engine = await filled(disk);
  const path = largest(disk);
  const before = engine.slot(1).committedLsn;
  disk.flip(path, 3800, 1);
  pass(disk, 25);
  const slot = damagedSlot(engine);
  assertThrows(() => engine.keysOf(slot), KvError, path);
  const { kept, lost } = await engine.rescue.salvage(slot, 0);
  assertEquals([kept, lost.length], [6, 1]);
  assertEquals([engine.keysOf(slot).length, engine.slot(slot).lastLsn], [6, before + 10 ** 9]);
  await written(engine, () => put(engine, slot, "new", "x"));
  engine = await openOn(disk.kill());
  commitAll(engine);
  assertEquals([engine.slot(slot).damage, engine.keysOf(slot).length], [undefined, 7]);
  assertEquals(engine.versionOf(slot, "new"), before + 10 ** 9 + 1);
  await engine.close();
});

Deno.test("salvage: of a slot that was damaged at the start, and of one with a part of a snapshot", async () => {
  const disk = newDisk();
  const first = await filled(disk);
  first.append(recordFor(first, 4, snapshotBegin(5, 1, 0)));
  first.append(recordFor(first, 4, snapshotPut("there", 3, "x")));
  await new Promise<void>((resolve) => first.whenSynced(resolve));
  await first.close();
  const path = largest(disk);
  disk.flip(path, 3800, 1);
  const engine = await openOn(disk);
  const slot = damagedSlot(engine);
  assertThrows(() => engine.keysOf(slot), KvError, path);
  assertEquals((await engine.rescue.salvage(slot, 0)).lost.length, 1);
  assertEquals(await engine.rescue.salvage(4, 0), { kept: 1, lost: [] });
  assertEquals(engine.keysOf(4), ["there"]);
  await written(
    engine,
    () => engine.append(recordFor(engine, slot, { kind: RecordKind.EpochStart, epoch: 7 })),
  );
  await engine.checkpoint();
  await engine.compacted();
  assert(!dataFiles(disk).includes(path), "the damaged file is rewritten");
  await engine.close();
});

Deno.test("salvage: power loss in between loses nothing more; a full disk neither", async () => {
  const disk = newDisk();
  const engine = await filled(disk);
  disk.flip(largest(disk), 3800, 1);
  pass(disk, 25);
  const slot = damagedSlot(engine);
  const otherSlot = slot === 1 ? 2 : 1;
  const digest = engine.digestAt(otherSlot);
  disk.faults.capacityBytes = 0;
  assertEquals((await assertRejects(() => engine.rescue.salvage(slot, 0), KvError)).code, "disk-full");
  assertEquals(engine.slot(slot).damage !== undefined, true);
  disk.faults.capacityBytes = Infinity;
  (disk.clock as TestClock).advance(200);
  assertEquals(engine.digestAt(otherSlot), digest);
  for (let changes = 0; changes < 4; changes++) {
    const copy = disk.copy();
    const again = await openOn(copy);
    copy.faults.changesLeft = changes;
    await again.rescue.salvage(slot, 0).catch(() => {});
    const last = await openOn(copy.crash());
    const { kept } = await last.rescue.salvage(slot, 0);
    assertEquals([kept, last.keysOf(slot).length, last.digestAt(otherSlot)], [6, 6, digest]);
    await last.close();
  }
  await engine.close();
});
