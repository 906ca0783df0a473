import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { systemClock } from "../../core/platform/clock.ts";
import { systemDisk } from "../../core/platform/disk.ts";
import { KvError } from "../../core/platform/errors.ts";
import { DiskError } from "../../core/platform/ports.ts";
import { systemRandom } from "../../core/platform/random.ts";
import { Engine } from "../../core/storage/engine.ts";
import { put, SETTINGS, textOf, written } from "./storage_world.ts";

async function inFolder(test: (folder: string) => Promise<void> | void): Promise<void> {
  const folder = Deno.makeTempDirSync({ prefix: "kv-disk-" });
  try {
    await test(folder);
  } finally {
    Deno.removeSync(folder, { recursive: true });
  }
}

Deno.test("system disk: positional reads and writes, faults by name", async () => {
  await inFolder(async (folder) => {
    const path = `${folder}/a`;
    const file = systemDisk.open(path, "new");
    file.write(new Uint8Array([1, 2, 3, 4]), 0);
    file.write(new Uint8Array([9]), 1);
    const into = new Uint8Array(10);
    assertEquals([file.read(into, 1), ...into.subarray(0, 3)], [3, 9, 3, 4]);
    await file.sync();
    file.truncate(2);
    file.syncNow();
    assertEquals([file.sizeBytes(), file.read(into, 5)], [2, 0]);
    file.close();
    const fault = (call: () => unknown) => assertThrows(call, DiskError).fault;
    assertEquals(fault(() => systemDisk.open(path, "new")), "exists");
    assertEquals(fault(() => systemDisk.open(`${folder}/b`, "never")), "not-found");
    assertEquals(fault(() => systemDisk.list(`${folder}/b`)), "not-found");
    systemDisk.makeFolder(`${folder}/c/d`);
    systemDisk.rename(path, `${folder}/c/e`);
    systemDisk.syncFolder(`${folder}/c`);
    assertEquals(systemDisk.list(`${folder}/c`), ["d", "e"]);
    assert(systemDisk.freeBytes(folder) > 0);
    const release = systemDisk.lock(`${folder}/lock`);
    assertEquals(fault(() => systemDisk.lock(`${folder}/lock`)), "locked");
    release();
    systemDisk.lock(`${folder}/lock`)();
  });
});

Deno.test("system disk: the engine keeps what it was given, and its folder for itself", async () => {
  await inFolder(async (folder) => {
    const open = () =>
      Engine.open({
        ...{
          clock: systemClock,
          random: systemRandom,
          disk: systemDisk,
          log: () => {},
          folder: `${folder}/node`,
        },
        ...{ clusterId: "c", settings: { ...SETTINGS, levels: 2 } },
      });
    const engine = await open();
    await written(engine, () => put(engine, 1, "key", "value"));
    await assertRejects(open, KvError, "in use by another process");
    await engine.close();
    const again = await open();
    assertEquals([again.incarnation, textOf(again.read(1, "key", 0)!.value)], [2, "value"]);
    await again.close();
  });
});
