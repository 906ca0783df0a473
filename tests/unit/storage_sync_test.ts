/** What is held for synced, and how long a file is locked for it. */

import { assert, assertEquals, assertRejects } from "@std/assert";
import { DiskError, type DiskFile } from "../../core/platform/ports.ts";
import { fnv1a32Binary } from "../../core/ring/hash.ts";
import { fileIndex } from "../../core/ring/primes.ts";
import { BlockCache } from "../../core/storage/block_cache.ts";
import { DataFile } from "../../core/storage/data_file.ts";
import { SimDisk } from "../sim/world/disk.ts";
import {
  commitAll,
  openOn,
  put,
  recordFor,
  seeded,
  SETTINGS,
  TestClock,
  textOf,
  written,
} from "./storage_world.ts";

/** Tells of each sync of a data file, which begins when the promise is kept. */
class WatchedDisk extends SimDisk {
  beforeSync: (file: DiskFile) => Promise<void> = () => Promise.resolve();

  override open(path: string, create: "never" | "new" | "if-missing"): DiskFile {
    const file = super.open(path, create);
    if (!path.includes("/files/")) return file;
    const sync = file.sync.bind(file);
    file.sync = () => this.beforeSync(file).then(sync);
    return file;
  }
}

const newDisk = () => new WatchedDisk(new TestClock(), seeded(3));

/** Lets what is under way go on until that is so. */
async function until(condition: () => boolean): Promise<void> {
  for (let turn = 0; !condition(); turn++) {
    assert(turn < 10_000, "it never is");
    await Promise.resolve();
  }
}

function newFile(disk: SimDisk): DataFile {
  const cache = new BlockCache(0);
  return new DataFile({ id: 1, index: 0, generation: 1, path: "data", seed: 0, disk, cache }, 0);
}

Deno.test("data file: synced is what was appended before a sync that has ended well", async () => {
  const file = newFile(newDisk());
  file.append(new Uint8Array(100));
  const first = file.sync();
  assertEquals(file.unsyncedBytes, 100);
  file.append(new Uint8Array(20));
  await first;
  assertEquals(file.unsyncedBytes, 20);
  await Promise.all([file.sync(), file.sync()]);
  assertEquals(file.unsyncedBytes, 0);
});

Deno.test("data file: after a failed sync none is taken for done", async () => {
  const disk = newDisk();
  const file = newFile(disk);
  file.append(new Uint8Array(100));
  // A system tells of an error once; a second sync, also one that is under way already, would end well.
  let syncs = 0;
  disk.faults.syncFails = () => ++syncs === 1;
  const both = [file.sync(), file.sync()].map((sync) => assertRejects(() => sync, DiskError, "fdatasync"));
  await Promise.all(both);
  await assertRejects(() => file.sync(), DiskError, "fdatasync");
  assertEquals(file.unsyncedBytes, 100);
});

Deno.test("data file: no room for a sync is no failed one", async () => {
  const disk = newDisk();
  const file = newFile(disk);
  disk.faults.capacityBytes = 50;
  file.append(new Uint8Array(100));
  await assertRejects(() => file.sync(), DiskError, "no space left");
  disk.faults.capacityBytes = Infinity;
  await file.sync();
  assertEquals(file.unsyncedBytes, 0);
});

Deno.test("storage: a checkpoint does not rely on a sync of compaction that has not ended", async () => {
  const disk = newDisk();
  const engine = await openOn(disk);
  for (const value of ["1", "2", "3"]) await written(engine, () => put(engine, 1, "a", value));
  const held: (() => void)[] = [];
  const isNew = ({ path }: DiskFile) => path.endsWith(".2");
  disk.beforeSync = (file) => isNew(file) ? new Promise((go) => held.push(go)) : Promise.resolve();
  const { hash } = recordFor(engine, 1, { key: "a" });
  assert(engine.lockOf(hash).tryRead());
  await engine.checkpoint();
  await written(engine, () => put(engine, 1, "a", "4"));
  engine.lockOf(hash).releaseRead();
  await until(() => held.length > 0);
  let made = false;
  const checkpoint = engine.checkpoint().then(() => made = true);
  for (let turn = 0; turn < 1000; turn++) await Promise.resolve();
  const after = await openOn(disk.afterPowerLoss(() => 0));
  commitAll(after);
  assertEquals(textOf(after.read(1, "a", hash)!.value), "4");
  assert(!made);
  await after.close();
  disk.beforeSync = () => Promise.resolve();
  for (const go of held) go();
  await checkpoint;
  await engine.close();
});

const MIB = 1 << 20;

Deno.test("storage: compaction syncs a long file in parts, and under the lock only the last moment's", async () => {
  const disk = newDisk();
  const engine = await openOn(disk, { compactStepBytes: MIB, syncNowBytesMax: 0 });
  const bytes = new Uint8Array(MIB);
  const { hash } = recordFor(engine, 1, { key: "a" });
  const keys = keysBeside(hash, 20);
  for (const key of [...keys, ...keys, "a", "a", "a"]) {
    await written(engine, () => engine.append(recordFor(engine, 1, { key, value: bytes, outcome: 1 })));
  }
  const synced: { readonly locked: boolean; readonly bytes: number }[] = [];
  let before = 0;
  disk.beforeSync = (file) => {
    if (!file.path.endsWith(".2")) return Promise.resolve();
    const locked = !engine.lockOf(hash).tryRead();
    if (!locked) engine.lockOf(hash).releaseRead();
    synced.push({ locked, bytes: file.sizeBytes() - before });
    before = file.sizeBytes();
    return Promise.resolve();
  };
  await engine.checkpoint();
  await engine.compacted();
  assert(before > 20 * MIB);
  for (const { locked, bytes } of synced) assert(bytes <= (locked ? MIB : 18 * MIB), JSON.stringify(synced));
  await engine.close();
});

/** Keys that lie in the same file as those of that hash. */
function keysBeside(hash: number, count: number): string[] {
  const keys: string[] = [];
  for (let i = 0; keys.length < count; i++) {
    const key = `key-${i}`;
    if (fileIndex(fnv1a32Binary(key), SETTINGS.levels) === fileIndex(hash, SETTINGS.levels)) keys.push(key);
  }
  return keys;
}
