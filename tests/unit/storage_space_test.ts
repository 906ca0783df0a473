/** A disk that the node itself has filled. */

import { assert, assertEquals } from "@std/assert";
import { KvError } from "../../core/platform/errors.ts";
import { fnv1a32Binary } from "../../core/ring/hash.ts";
import { fileIndex } from "../../core/ring/primes.ts";
import type { Engine } from "../../core/storage/engine.ts";
import { SimDisk } from "../sim/world/disk.ts";
import { openOn, put, remove, seeded, SETTINGS, TestClock, textOf, written } from "./storage_world.ts";

const LIMITS = { segmentBytes: 2000, checkpointBytes: 40_000, reserveBytes: 60_000, compactBytesMin: 4000 };
const VALUE = "x".repeat(1000);

/** A disk of 800 kB with an engine that has taken puts as long as there was room; returns how many. */
async function fill(): Promise<{ disk: SimDisk; engine: Engine; puts: number }> {
  const disk = new SimDisk(new TestClock(), seeded(3));
  disk.faults.capacityBytes = 800_000;
  const engine = await openOn(disk, LIMITS);
  let puts = 0;
  // Checkpoints let go of the log: it is full when nothing is taken much later either.
  for (let refusals = 0; refusals < 20;) {
    if (await taken(engine, () => put(engine, puts % 13, `k${puts}`, VALUE))) {
      puts++;
      refusals = 0;
    } else {
      refusals++;
      await pass(disk);
    }
  }
  return { disk, engine, puts };
}

/** False: the disk is full. */
async function taken(engine: Engine, write: () => void): Promise<boolean> {
  try {
    await written(engine, write);
    return true;
  } catch (error) {
    assertEquals((error as KvError).code, "disk-full");
    return false;
  }
}

/** Time passes, and what is under way ends. */
async function pass(disk: SimDisk): Promise<void> {
  (disk.clock as TestClock).advance(1000);
  for (let turn = 0; turn < 2000; turn++) await Promise.resolve();
}

/** Deletes most keys, each as soon as it is taken. */
async function empty(disk: SimDisk, engine: Engine, puts: number): Promise<void> {
  for (let i = 0; i < puts; i++) {
    if (i % 20 === 0) continue;
    for (let tries = 0; !await taken(engine, () => remove(engine, i % 13, `k${i}`)); tries++) {
      assert(tries < 100, `delete ${i} of ${puts} is not taken`);
      await pass(disk);
    }
  }
}

/** Puts as much again as half of what there was, each as soon as it is taken. */
async function fillAgain(disk: SimDisk, engine: Engine, puts: number): Promise<void> {
  for (let i = 0; i < puts / 2; i++) {
    for (let tries = 0; !await taken(engine, () => put(engine, i % 13, `again${i}`, VALUE)); tries++) {
      assert(tries < 100, `put ${i} is not taken`);
      await pass(disk);
    }
  }
  assertEquals(textOf(engine.read(0, "k0")!.value), VALUE);
}

for (const restarted of [false, true]) {
  const how = restarted ? "with a restart in between" : "without a restart";
  Deno.test(`space: what deletes free on a disk that the node has filled is given back (${how})`, async () => {
    const { disk, engine: first, puts } = await fill();
    assert(puts > 400, `${puts}`);
    await empty(disk, first, puts);
    if (restarted) await first.close();
    const engine = restarted ? await openOn(disk, LIMITS) : first;
    await fillAgain(disk, engine, puts);
    await engine.close();
  });
}

Deno.test("space: a full disk stays full, and is served, while nothing is deleted", async () => {
  const { disk, engine, puts } = await fill();
  assert(disk.freeBytes() > LIMITS.reserveBytes / 2);
  for (let i = 0; i < puts; i++) assertEquals(engine.read(i % 13, `k${i}`)!.value.length, VALUE.length);
  await engine.close();
});

const dataFiles = (disk: SimDisk) => disk.paths().filter((path) => path.includes("/files/"));

Deno.test("space: to rewrite a file of which nothing is left takes no room", async () => {
  const disk = new SimDisk(new TestClock(), seeded(3));
  const engine = await openOn(disk, LIMITS);
  for (let i = 0; i < 20; i++) await written(engine, () => put(engine, 1, `k${i}`, VALUE));
  await engine.checkpoint();
  assert(dataFiles(disk).length > 0);
  for (let i = 0; i < 20; i++) await written(engine, () => remove(engine, 1, `k${i}`));
  disk.faults.capacityBytes = disk.usedBytes() + LIMITS.reserveBytes / 4;
  await engine.checkpoint();
  await engine.compacted();
  assertEquals(dataFiles(disk), []);
  await engine.close();
});

Deno.test("space: compaction stops when others take its room, and then needs that for the rest alone", async () => {
  const disk = new SimDisk(new TestClock(), seeded(3));
  const engine = await openOn(disk, { ...LIMITS, compactStepBytes: 1 });
  const keys = Array.from({ length: 99 }, (_, i) => `k${i}`).filter((key) =>
    fileIndex(fnv1a32Binary(key), SETTINGS.levels) === 0
  ).slice(0, 24);
  for (const key of [...keys, ...keys, keys[0]!]) await written(engine, () => put(engine, 1, key, VALUE));
  await engine.checkpoint();
  // Two thirds are moved: what is written first.
  for (let turn = 0; dataFiles(disk).length < 2; turn++) {
    assert(turn < 10_000);
    await Promise.resolve();
  }
  disk.faults.capacityBytes = disk.usedBytes() + LIMITS.reserveBytes / 2;
  await engine.compacted();
  assertEquals(dataFiles(disk).length, 2);
  disk.faults.capacityBytes = disk.usedBytes() + LIMITS.reserveBytes / 2 + 14 * VALUE.length;
  await engine.checkpoint();
  await engine.compacted();
  assertEquals(dataFiles(disk).length, 1);
  for (const key of keys) assertEquals(textOf(engine.read(1, key)!.value), VALUE);
  await engine.close();
});
