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
