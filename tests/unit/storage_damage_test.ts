import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { KvError } from "../../core/platform/errors.ts";
import { type Engine, RecordKind } from "../../core/storage/engine.ts";
import { SimDisk } from "../sim/world/disk.ts";
import { snapshotBegin, snapshotEnd, snapshotKeep, snapshotPut } from "./storage_script.ts";
import {
  commitAll,
  FOLDER,
  logEnd,
  type LogLine,
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

const newDisk = () => new SimDisk(new TestClock(), seeded(7));

/** What each slot holds: `contentOf` for slots that may be damaged. */
function bySlot(engine: Engine): (string | undefined)[] {
  return Array.from({ length: SETTINGS.msn }, (_, slot) => {
    if (engine.slot(slot).damage !== undefined) return undefined;
    const entries = [...engine.entries(slot)].map(({ key, value, version }) => [key, version, textOf(value)]);
    return JSON.stringify([engine.slot(slot).lastLsn, entries.sort()]);
  });
}

/** Opens a copy of the disk on which `harm` was done; compares all that is served with `truth`. */
async function openHarmed(disk: SimDisk, truth: (string | undefined)[], harm: (copy: SimDisk) => void) {
  const copy = disk.copy();
  harm(copy);
  const lines: LogLine[] = [];
  const engine = await openOn(copy, {}, lines);
  commitAll(engine);
  const found = bySlot(engine);
  for (const [slot, content] of found.entries()) {
    if (content !== undefined) {
      assertEquals(content, truth[slot], `slot ${slot} serves something else ${JSON.stringify(lines)}`);
    }
  }
  const damaged = found.flatMap((content, slot) => content === undefined ? [slot] : []);
  const reported = lines.some(({ level, fields }) =>
    level !== "info" && ("file" in fields || "path" in fields)
  );
  await engine.close();
  return { damaged, reported, copy };
}

/** A node with keys in data files and in the log, and a mark behind it all; killed, not closed. */
async function usedDisk(): Promise<{ disk: SimDisk; truth: (string | undefined)[]; marksAt: number }> {
  const clock = new TestClock();
  const disk = new SimDisk(clock, seeded(7));
  const engine = await openOn(disk);
  await written(engine, () => [1, 2, 3].forEach((slot) => put(engine, slot, `key${slot}`, "in the file")));
  await written(engine, () => put(engine, 1, "key1", "in the file, too"));
  await engine.checkpoint();
  await engine.compacted();
  await written(engine, () => [2, 3, 4].forEach((slot) => put(engine, slot, `key${slot}`, "in the log")));
  await written(engine, () => remove(engine, 3, "key3"));
  await written(engine, () => {
    const all = [
      snapshotBegin(9, 1, 0),
      snapshotPut("a", 7, "A"),
      snapshotPut("b", 8, "B"),
      snapshotEnd(9, 1),
    ];
    for (const fields of all) engine.append(recordFor(engine, 5, fields));
    const changed = [
      snapshotBegin(4, 1, 2),
      snapshotKeep("key1", 2),
      snapshotPut("c", 3, "C"),
      snapshotEnd(4, 1),
    ];
    for (const fields of changed) engine.append(recordFor(engine, 1, fields));
    put(engine, 1, "key1", "behind");
  });
  const newest = disk.paths().findLast((each) => folderOf(each) === "log")!;
  const marksAt = logEnd(disk, newest);
  quiet(clock);
  return { disk: disk.kill(), truth: bySlot(engine), marksAt };
}

/** Until a mark covers the last group: the timer starts anew once when groups came since it was set. */
function quiet(clock: TestClock): void {
  clock.advance(1000);
  clock.advance(1000);
}

const folderOf = (path: string) => path.split("/")[1]!;

for (const part of ["log", "files"]) {
  Deno.test(`storage: every flipped byte of ${part} is found and never served`, async () => {
    const { disk, truth, marksAt } = await usedDisk();
    const slots: Record<string, number> = {};
    for (const path of disk.paths().filter((each) => folderOf(each) === part)) {
      for (let offset = 0; offset < disk.content(path).length; offset++) {
        const { damaged, reported } = await openHarmed(
          disk,
          truth,
          (copy) => copy.flip(path, offset, offset % 8),
        );
        // Nothing covers the last marks; without them nothing is lost.
        assert(reported || (part === "log" && offset >= marksAt), `byte ${offset} of ${path}`);
        slots[damaged.length] = (slots[damaged.length] ?? 0) + 1;
      }
    }
    assertEquals(
      slots[SETTINGS.msn],
      undefined,
      `some damage could not be pinned to slots: ${JSON.stringify(slots)}`,
    );
    assert(slots[1]! > 100, JSON.stringify(slots));
  });
}

Deno.test("storage: a flipped byte of the manifest is repaired, of the identity refused", async () => {
  const { disk, truth } = await usedDisk();
  for (let offset = 0; offset < disk.content(`${FOLDER}/checkpoint`).length; offset++) {
    const { damaged, reported } = await openHarmed(
      disk,
      truth,
      (copy) => copy.flip(`${FOLDER}/checkpoint`, offset, 0),
    );
    assertEquals([damaged, reported], [[], true]);
  }
  for (let offset = 0; offset < disk.content(`${FOLDER}/identity.json`).length; offset++) {
    const copy = disk.copy();
    copy.flip(`${FOLDER}/identity.json`, offset, 1);
    await assertRejects(() => openOn(copy), KvError, "identity.json");
  }
  for (const [name, said] of [["identity.json", "no identity"], ["checkpoint", "checkpoint is missing"]]) {
    const copy = disk.copy();
    copy.remove(`${FOLDER}/${name}`);
    await assertRejects(() => openOn(copy), KvError, said);
  }
});

Deno.test("storage: every truncation below what was known to be synced is found and never served", async () => {
  const { disk, truth } = await usedDisk();
  const inFiles = disk.paths().filter((each) => folderOf(each) === "files");
  for (const path of inFiles) {
    for (let size = 0; size < disk.content(path).length; size++) {
      const { damaged } = await openHarmed(disk, truth, (copy) => copy.open(path, "never").truncate(size));
      assert(damaged.length > 0, `${path} cut to ${size}`);
    }
  }
  // Of the log the checkpoint vouches for the carried tails, and each segment for the ones before it.
  const stuck = newDisk();
  const engine = await openOn(stuck);
  const durable = new Promise<void>((resolve) => engine.onDurable(() => resolve()));
  [1, 2, 3].forEach((slot) => put(engine, slot, "key", "uncommitted"));
  await durable;
  await engine.checkpoint();
  const lsns = Array.from({ length: SETTINGS.msn }, (_, slot) => engine.slot(slot).lastLsn);
  const killed = stuck.kill();
  const path = killed.paths().find((each) => folderOf(each) === "log")!;
  for (let size = 0; size < logEnd(killed, path); size++) {
    const copy = killed.copy();
    copy.open(path, "never").truncate(size);
    const reopened = await openOn(copy);
    for (const [slot, lsn] of lsns.entries()) {
      assert(
        reopened.slot(slot).lastLsn === lsn || reopened.slot(slot).damage !== undefined,
        `slot ${slot} at ${size}`,
      );
    }
    assert(reopened.slot(3).damage !== undefined);
    await reopened.close();
  }
});

Deno.test("storage: a truncated segment before the last one is damage", async () => {
  const disk = newDisk();
  const engine = await openOn(disk);
  for (let i = 0; i < 6; i++) await written(engine, () => put(engine, i, "key", "x".repeat(200)));
  const truth = bySlot(engine);
  const killed = disk.kill();
  const segments = killed.paths().filter((each) => folderOf(each) === "log");
  assert(segments.length > 1, "the run made one segment only");
  for (let size = 0; size < logEnd(killed, segments[0]!); size += 5) {
    const { damaged } = await openHarmed(
      killed,
      truth,
      (copy) => copy.open(segments[0]!, "never").truncate(size),
    );
    assert(damaged.length > 0, `cut to ${size}`);
  }
  const { damaged, copy } = await openHarmed(killed, truth, (copy) => copy.remove(segments[0]!));
  assert(damaged.length > 0);
  assert(copy.paths().some((path) => path.startsWith(`${FOLDER}/damaged/`)), "the evidence is kept");
});

Deno.test("storage: damage stays with the slot, others go on", async () => {
  const { disk, truth } = await usedDisk();
  const path = disk.paths().find((each) => folderOf(each) === "files" && disk.content(each).length > 0)!;
  const { damaged, copy } = await openHarmed(disk, truth, (copy) => copy.flip(path, 30, 3));
  assertEquals(damaged.length, 1);
  const engine = await openOn(copy);
  const slot = damaged[0]!;
  const { damage } = engine.slot(slot);
  assertEquals([damage?.file, damage?.offset], [path, 0]);
  assertThrows(() => engine.read(slot, "key", 0), KvError, path);
  assertThrows(() => put(engine, slot, "key", "x"), KvError, path);
  await written(engine, () => put(engine, 9, "other", "goes on"));
  await engine.close();
  const again = await openOn(copy);
  assertEquals(again.slot(slot).damage?.file, path);
  assertEquals(textOf(again.read(9, "other", 0)!.value), "goes on");
  await again.close();
});

Deno.test("storage: a record that rots while the node runs is not served", async () => {
  const disk = newDisk();
  const engine = await openOn(disk, { cacheBytesMax: 0 });
  await written(engine, () => put(engine, 1, "key", "x".repeat(10_000)));
  await engine.checkpoint();
  const path = disk.paths().find((each) => folderOf(each) === "files" && disk.content(each).length > 9000)!;
  disk.flip(path, 100, 0);
  assertThrows(() => engine.read(1, "key", 0), KvError, path);
  assertEquals(engine.slot(1).damage?.file, path);
  await engine.close();
});

Deno.test("storage: a lost truncation is noticed", async () => {
  const clock = new TestClock();
  const disk = new SimDisk(clock, seeded(7));
  const engine = await openOn(disk);
  const durable = () => new Promise<void>((resolve) => engine.onDurable(() => resolve()));
  let next = durable();
  put(engine, 1, "key", "to be cut");
  await next;
  const path = disk.paths().find((each) => folderOf(each) === "log")!;
  const at = logEnd(disk, path);
  next = durable();
  engine.append(recordFor(engine, 1, { kind: RecordKind.Truncate, lsn: 0, epoch: 0 }));
  await next;
  await written(engine, () => engine.append(recordFor(engine, 1, { key: "key", epoch: 2 })));
  quiet(clock);
  const truth = bySlot(engine);
  const { damaged } = await openHarmed(disk.kill(), truth, (copy) => copy.flip(path, at + 32 + 20, 0));
  assertEquals(damaged, [1]);
});
