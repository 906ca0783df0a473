import { assert, assertEquals } from "@std/assert";
import type { Engine } from "../../core/storage/engine.ts";
import { SimDisk } from "../sim/world/disk.ts";
import { snapshotBegin, snapshotEnd, snapshotPut } from "./storage_script.ts";
import {
  commitAll,
  type LogLine,
  openOn,
  put,
  recordFor,
  seeded,
  TestClock,
  textOf,
  written,
} from "./storage_world.ts";

const SLOTS = [1, 2, 3];
/** Nothing is compacted, and nothing kept in memory. */
const QUIET = { compactBytesMin: 1 << 20, cacheBytesMax: 0 };

const dataFiles = (disk: SimDisk) => disk.paths().filter((each) => each.includes("/files/"));

/** Values of three sizes, the largest of which are not verified at a start, in files of several pages. */
async function filled(disk: SimDisk, limits = {}): Promise<Engine> {
  const engine = await openOn(disk, { ...QUIET, ...limits });
  await written(engine, () => {
    for (const slot of SLOTS) {
      for (let i = 0; i < 6; i++) {
        put(engine, slot, `key ${i}`, `${slot}`.repeat([300, 9000, 70_000][i % 3]!));
      }
    }
  });
  await engine.checkpoint();
  return engine;
}

const entriesOf = (engine: Engine, slot: number) =>
  [...engine.entries(slot)].map(({ key, value, version }) => [key, version, textOf(value)]).sort();

/** Compares the slots that are served with the truth; returns the others. */
function damagedSlots(engine: Engine, truth: readonly unknown[]): number[] {
  return SLOTS.filter((slot, i) => {
    if (engine.slot(slot).damage !== undefined) return true;
    try {
      assertEquals(entriesOf(engine, slot), truth[i]);
      return false;
    } catch {
      // A long value, which is verified when it is read.
      assert(engine.slot(slot).damage !== undefined);
      return true;
    }
  });
}

/** Each page of the data files with its path; of long files not all of them. */
function* pages(disk: SimDisk): Generator<[path: string, offset: number]> {
  for (const path of dataFiles(disk)) {
    const size = disk.content(path).length;
    for (let offset = 0; offset < size; offset += size - offset > 20_000 ? 5 * 4096 : 4096) {
      yield [path, offset];
    }
  }
}

Deno.test("unreadable sector: the node starts again and again, others than the slots in it are served, and it writes", async () => {
  const disk = new SimDisk(new TestClock(), seeded(5));
  const first = await filled(disk);
  const truth = SLOTS.map((slot) => entriesOf(first, slot));
  await first.close();
  let damaged = 0;
  for (const [path, offset] of pages(disk)) {
    const copy = disk.copy();
    copy.spoil(path, offset);
    const lines: LogLine[] = [];
    let engine = await openOn(copy, QUIET, lines);
    assert(damagedSlots(engine, truth).length <= 2, `${path} ${offset}`);
    damaged += damagedSlots(engine, truth).length;
    // Into each of the files.
    await written(
      engine,
      () => Array.from({ length: 20 }, (_, i) => put(engine, 4, `${i}`, "v".repeat(900))),
    );
    await engine.close();
    assertEquals(engine.failure, undefined);
    engine = await openOn(copy, QUIET, lines);
    damagedSlots(engine, truth);
    assertEquals(entriesOf(engine, 4).length, 20);
    await engine.close();
  }
  assert(damaged > 20);
  await first.close();
});

Deno.test("unreadable sector: compaction reads across it, and tells whose records are lost", async () => {
  const disk = new SimDisk(new TestClock(), seeded(5));
  const first = await filled(disk);
  const truth = SLOTS.map((slot) => entriesOf(first, slot));
  await first.close();
  let damaged = 0;
  for (const [path, offset] of pages(disk)) {
    const copy = disk.copy();
    const engine = await openOn(copy, { compactBytesMin: 1, cacheBytesMax: 0 });
    copy.spoil(path, offset);
    for (const shard of engine.recovered.files.shards) engine.recovered.files.renew(shard);
    await engine.checkpoint();
    await engine.compacted();
    assertEquals(engine.failure, undefined, `${path} ${offset}`);
    damaged += damagedSlots(engine, truth).length;
    await engine.close();
  }
  assert(damaged > 20);
});

Deno.test("unreadable sector: the scrub finds it, a snapshot heals it, and the file is rewritten without it", async () => {
  const disk = new SimDisk(new TestClock(), seeded(5));
  const lines: LogLine[] = [];
  let engine = await openOn(disk, { scrubBytesPerSecond: 1 << 20 }, lines);
  await written(engine, () => {
    for (const slot of SLOTS) {
      for (let i = 0; i < 6; i++) put(engine, slot, `key ${i}`, `${slot}`.repeat(9000));
    }
  });
  await engine.checkpoint();
  const [path] = dataFiles(disk);
  disk.spoil(path!, 0);
  for (let i = 0; i < 300; i++) (disk.clock as TestClock).advance(100);
  const damaged = SLOTS.filter((slot) => engine.slot(slot).damage !== undefined);
  assertEquals(damaged.length, 1);
  assert(lines.some(({ message }) => message.includes("cannot be read from the disk")));
  const slot = damaged[0]!;
  await engine.checkpoint();
  await engine.compacted();
  assert(dataFiles(disk).includes(path!), "as long as a slot is damaged the file is kept");
  const { lastLsn } = engine.slot(slot);
  for (const fields of [snapshotBegin(lastLsn, 1, 0), snapshotPut("a", 1, "new"), snapshotEnd(lastLsn, 1)]) {
    engine.append(recordFor(engine, slot, fields));
  }
  await new Promise<void>((resolve) => engine.whenSynced(resolve));
  await engine.checkpoint();
  await engine.compacted();
  assertEquals([engine.failure, dataFiles(disk).includes(path!)], [undefined, false]);
  engine = await openOn(disk.kill());
  commitAll(engine);
  assertEquals(SLOTS.map((each) => engine.slot(each).damage), [undefined, undefined, undefined]);
  assertEquals([entriesOf(engine, slot).length, entriesOf(engine, 1 + slot % 3).length], [1, 6]);
  await engine.close();
});
