import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { KvError } from "../../core/platform/errors.ts";
import { type Engine, RecordKind } from "../../core/storage/engine.ts";
import { SimDisk } from "../sim/world/disk.ts";
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
const SLOT = 3;

const contentOf = (engine: Engine) =>
  [...engine.entries(SLOT)].map(({ key, value, version }) => [key, textOf(value), version]).sort();

/** A copy with two committed entries, and a put and a delete behind them that are not. */
async function withTail(disk: SimDisk): Promise<Engine> {
  const engine = await openOn(disk);
  await written(engine, () => {
    put(engine, SLOT, "a", "1");
    put(engine, SLOT, "b", "1");
  });
  put(engine, SLOT, "a", "2");
  engine.append(recordFor(engine, SLOT, { kind: RecordKind.Delete, key: "b" }));
  await new Promise<void>((resolve) => engine.whenSynced(resolve));
  return engine;
}

Deno.test("salvage: of a good copy the tail counts too, and the lineage begins with a base of its epoch", async () => {
  const disk = newDisk();
  let engine = await withTail(disk);
  assertEquals([engine.slot(SLOT).committedLsn, engine.slot(SLOT).lastLsn], [2, 4]);
  const salvaged = engine.rescue.salvage(SLOT, 7);
  const late = assertThrows(() => put(engine, SLOT, "c", "late"), KvError);
  assertEquals(late.code, "unavailable");
  assertEquals(await salvaged, { kept: 1, lost: [] });
  const base = 7 * 10 ** 9;
  for (const each of [engine, engine = await openOn(disk.kill())]) {
    const { committedLsn, committedEpoch, lastEpoch, tail } = each.slot(SLOT);
    assertEquals([committedLsn, committedEpoch, lastEpoch, tail.length], [base, 7, 7, 0]);
    assertEquals(contentOf(each), [["a", "2", 3]]);
  }
  await written(engine, () => put(engine, SLOT, "c", "3"));
  assertEquals(engine.versionOf(SLOT, "c"), base + 1);
  await engine.close();
});

Deno.test("salvage: a crash at any point leaves the good copy, or one that can be salvaged again", async () => {
  const disk = newDisk();
  const engine = await withTail(disk);
  await engine.close();
  for (let changes = 0; changes < 12; changes++) {
    const copy = disk.copy();
    const again = await openOn(copy);
    copy.faults.changesLeft = changes;
    await again.rescue.salvage(SLOT, 7).catch(() => {});
    const last = await openOn(copy.crash());
    assert(last.slot(SLOT).committedEpoch < 7 || !last.slot(SLOT).incomplete, `after ${changes} changes`);
    if (last.slot(SLOT).committedEpoch < 7) await last.rescue.salvage(SLOT, 7);
    assertEquals(contentOf(last), [["a", "2", 3]], `after ${changes} changes`);
    await last.close();
  }
});

Deno.test("salvage: an entry that was kept, and rots before a checkpoint, is damage after a crash", async () => {
  const disk = newDisk();
  const engine = await openOn(disk);
  await written(engine, () => put(engine, SLOT, "a", "1".repeat(5000)));
  await engine.checkpoint();
  assertEquals(await engine.rescue.salvage(SLOT, 7), { kept: 1, lost: [] });
  const path = disk.paths().find((each) => each.includes("/files/"))!;
  for (const offset of [5, 20, 3000]) {
    let crashed = disk.copy().kill();
    crashed.flip(path, offset, 1);
    for (let starts = 0; starts < 2; starts++, crashed = crashed.kill()) {
      const again = await openOn(crashed);
      assert(again.slot(SLOT).damage !== undefined, `byte ${offset}: the entry is gone, and nobody says so`);
    }
  }
  await engine.close();
});

Deno.test("salvage: a slot of which nothing is here begins empty", async () => {
  const engine = await openOn(newDisk());
  assertEquals(await engine.rescue.salvage(SLOT, 2), { kept: 0, lost: [] });
  assertEquals([engine.slot(SLOT).committedLsn, engine.slot(SLOT).lastEpoch], [2 * 10 ** 9, 2]);
  await engine.close();
});

Deno.test("aside: a file keeps what was committed, what may have been, and what cannot be read", async () => {
  const disk = newDisk();
  const engine = await withTail(disk);
  put(engine, 5, "another slot", "x");
  assertEquals(engine.rescue.isAside(SLOT), false);
  await engine.rescue.setAside(SLOT);
  assertEquals(engine.rescue.isAside(SLOT), true);
  const path = disk.paths().find((each) => each.includes("/aside/"))!;
  assert(path.endsWith("/aside/slot-3-epoch-1-lsn-4.jsonl"), path);
  const lines = new TextDecoder().decode(disk.content(path)).trim().split("\n").map((line) =>
    JSON.parse(line)
  );
  assertEquals(lines, [
    { key: "a", value: "1", version: 1 },
    { key: "b", value: "1", version: 2 },
    { key: "a", value: "2", version: 3, committed: false },
    { key: "b", deleted: true, version: 4, committed: false },
  ]);
  commitAll(engine);
  await written(engine, () => remove(engine, SLOT, "a"));
  assertEquals(engine.rescue.isAside(SLOT), false, "of the copy as it is now");
  await engine.close();
});

Deno.test("aside: on a full disk nothing is left behind that looks whole", async () => {
  const disk = newDisk();
  const engine = await withTail(disk);
  disk.faults.capacityBytes = 0;
  await assertRejects(() => engine.rescue.setAside(SLOT));
  assertEquals(engine.rescue.isAside(SLOT), false);
  disk.faults.capacityBytes = Infinity;
  (disk.clock as TestClock).advance(200);
  await engine.rescue.setAside(SLOT);
  assertEquals(engine.rescue.isAside(SLOT), true);
  await engine.close();
});
