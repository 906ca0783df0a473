import { assert, assertEquals, assertThrows } from "@std/assert";
import { type Engine, RecordKind } from "../../core/storage/engine.ts";
import { Places } from "../../core/storage/places.ts";
import { SlotState } from "../../core/storage/slot_state.ts";
import { SimDisk } from "../sim/world/disk.ts";
import { epochStart, forget, Run } from "./storage_script.ts";
import { Twin } from "./storage_twin.ts";
import {
  commitAll,
  contentOf,
  nextGroup,
  openOn,
  put,
  recordFor,
  remove,
  seeded,
  TestClock,
  textOf,
  written,
} from "./storage_world.ts";

const newDisk = () => new SimDisk(new TestClock(), seeded(5));

Deno.test("storage: append, durable, commit, read", async () => {
  const engine = await openOn(newDisk());
  const durable = nextGroup(engine);
  put(engine, 1, "key", "value");
  const { lastLsn, durableLsn, tail } = engine.slot(1);
  assertEquals([lastLsn, durableLsn, tail.length], [1, 0, 1]);
  assertThrows(() => engine.commit(1, 1), RangeError);
  await durable;
  assertEquals([engine.slot(1).durableLsn, engine.read(1, "key", 0)], [1, undefined]);
  engine.commit(1, 1);
  const read = engine.read(1, "key", 0)!;
  assertEquals([textOf(read.value), read.version, engine.versionOf(1, "key")], ["value", 1, 1]);
  const { keys, bytes } = engine.slot(1);
  assertEquals([keys, bytes, engine.slot(1).tail.length], [1, 8, 0]);
  await written(engine, () => remove(engine, 1, "key"));
  assertEquals([engine.read(1, "key", 0), engine.slot(1).keys, engine.slot(1).digest], [undefined, 0, 0]);
  assertThrows(() => engine.append(recordFor(engine, 1, { lsn: 9 })), RangeError, "does not follow");
  assertThrows(() => engine.append(recordFor(engine, 1, { epoch: 0 })), RangeError, "does not follow");
  await engine.close();
});

Deno.test("storage: equals its naive twin through restarts, checkpoints and compactions", async () => {
  const random = seeded(11);
  let disk = newDisk();
  let run = new Run(await openOn(disk), new Twin(), false);
  for (let round = 0; round < 12; round++) {
    for (let i = 0; i < 150; i++) {
      const [slot, key] = [random.below(13), `key ${random.below(20)}`];
      if (random.below(4) === 0) run.remove(slot, key);
      else run.put(slot, key, "x".repeat(random.below(300)));
      if (random.below(9) === 0) await run.durable();
    }
    await run.durable();
    assertEquals(contentOf(run.engine), run.twin.content());
    if (round % 3 === 0) await run.engine.checkpoint();
    if (round % 2 === 0) await run.engine.close();
    disk = disk.kill();
    const engine = await openOn(disk);
    commitAll(engine);
    assertEquals(contentOf(engine), run.twin.content());
    run = new Run(engine, run.twin, false);
  }
  await run.engine.compacted();
  const files = disk.paths().filter((path) => path.includes("/files/"));
  const stored = files.reduce((sum, path) => sum + disk.content(path).length, 0);
  const live = Array.from({ length: 13 }, (_, slot) => run.engine.slot(slot).bytes).reduce((a, b) => a + b);
  assert(stored < 8 * live, `${stored} bytes are stored for ${live} live ones`);
  await run.engine.close();
});

Deno.test("storage: binary keys, empty values, and values longer than blocks and windows", async () => {
  const disk = newDisk();
  let engine = await openOn(disk, { valueBytesMax: 3 << 20 });
  const long = seeded(1).bytes(2_500_000);
  const key = "\x00\xff\n\x80";
  await written(engine, () => {
    engine.append(recordFor(engine, 1, { key, value: long }));
    put(engine, 1, "", "");
    put(engine, 1, "k".repeat(4096), "after the long one");
  });
  for (let i = 0; i < 2; i++) {
    assertEquals(engine.read(1, key, 0)!.value, long);
    assertEquals(engine.read(1, "", 0)!.value, new Uint8Array(0));
    assertEquals(textOf(engine.read(1, "k".repeat(4096), 0)!.value), "after the long one");
    await engine.close();
    engine = await openOn(disk);
  }
  assertThrows(() => put(engine, 1, "k".repeat(4097), ""), RangeError, "exceeds 4096");
  await engine.close();
});

Deno.test("storage: an uncommitted tail survives as such and holds no old segments", async () => {
  const disk = newDisk();
  const run = new Run(await openOn(disk));
  run.stuck.add(2);
  run.put(2, "stuck", "not committed");
  await run.durable();
  for (let i = 0; i < 5; i++) {
    run.put(1, "key", "x".repeat(400));
    await run.durable();
    await run.engine.checkpoint();
  }
  const segments = () => disk.paths().filter((path) => path.endsWith(".log")).length;
  assertEquals(segments(), 1);
  await run.engine.close();
  const engine = await openOn(disk);
  const { committedLsn, durableLsn, tail } = engine.slot(2);
  assertEquals([committedLsn, durableLsn, tail.length], [0, 1, 1]);
  assertEquals([engine.read(2, "stuck", 0), engine.slot(1).tail.length], [undefined, 0]);
  engine.commit(2, 1);
  assertEquals(textOf(engine.read(2, "stuck", 0)!.value), "not committed");
  await engine.close();
});

Deno.test("storage: marks in the log tell what was committed, without a checkpoint", async () => {
  const clock = new TestClock();
  const disk = new SimDisk(clock, seeded(5));
  const engine = await openOn(disk);
  await written(engine, () => put(engine, 1, "a", "1"));
  clock.advance(100);
  clock.advance(100);
  put(engine, 1, "b", "2");
  await nextGroup(engine);
  const again = await openOn(disk.kill());
  assertEquals([again.slot(1).committedLsn, again.slot(1).durableLsn], [1, 2]);
  await again.close();
});

Deno.test("storage: truncation is replayed, and cuts only what is not committed", async () => {
  const disk = newDisk();
  const run = new Run(await openOn(disk));
  run.put(1, "a", "stays");
  await run.durable();
  run.stuck.add(1);
  run.put(1, "a", "goes");
  run.put(1, "b", "goes, too");
  await run.durable();
  assertThrows(() => run.append(1, { kind: RecordKind.Truncate, lsn: 0 }), RangeError, "1..3");
  run.append(1, { kind: RecordKind.Truncate, lsn: 1, epoch: 1 });
  epochStart(1)(run);
  run.put(1, "c", "new");
  run.engine.checkpoint().catch(() => {});
  await nextGroup(run.engine);
  const again = await openOn(disk.kill());
  assertEquals(again.slot(1).tail.map(({ lsn, epoch }) => [lsn, epoch]), [[1, 1], [2, 2], [3, 2]]);
  commitAll(again);
  assertEquals(contentOf(again), run.twin.content());
  await again.close();
});

Deno.test("storage: sessions are kept by checkpoints and rebuilt by the log", async () => {
  const disk = newDisk();
  const run = new Run(await openOn(disk));
  const [a, b] = ["client-id-a-----", "client-id-b-----"];
  const by = (clientId: string, sequence: number, lowestUnfinished: number) =>
    run.append(1, { key: "k", clientId, sequence, lowestUnfinished, outcome: 2 });
  by(a, 1, 1);
  by(b, 1, 1);
  by(a, 3, 1);
  by(a, 2, 1);
  await run.durable();
  await run.engine.checkpoint();
  by(a, 4, 3);
  run.append(1, forget(b));
  await run.durable();
  const check = (engine: Engine) => {
    const sessions = engine.sessions(1);
    assertEquals([sessions.size, sessions.forgotten, sessions.get(b)], [1, b, undefined]);
    assertEquals([1, 2, 3, 4].map((sequence) => sessions.result(a, sequence)?.lsn), [
      ...[undefined, undefined, 3, 5],
    ]);
    assertEquals(contentOf(engine), run.twin.content());
  };
  check(run.engine);
  const killed = await openOn(disk.kill());
  commitAll(killed);
  check(killed);
  await killed.close();
});

Deno.test("storage: compaction holds the file's write lock, and waits for readers", async () => {
  const disk = newDisk();
  const engine = await openOn(disk);
  for (let i = 0; i < 5; i++) await written(engine, () => put(engine, 1, "key", "x".repeat(100)));
  const { hash } = recordFor(engine, 1, { key: "key" });
  const lock = engine.lockOf(hash);
  assert(lock.tryRead());
  await engine.checkpoint();
  const size = () => disk.paths().filter((p) => p.includes("/files/")).map((p) => disk.content(p).length);
  for (let i = 0; i < 100; i++) await Promise.resolve();
  assertEquals(size().length, 1);
  assert(!lock.tryRead(), "a waiting writer holds later readers up");
  lock.releaseRead();
  await engine.compacted();
  assertEquals(size(), [28 + 3 + 100]);
  assert(lock.tryWrite());
  lock.releaseWrite();
  assertEquals(engine.read(1, "key", hash)!.version, 5);
  await engine.close();
});

Deno.test("storage: a group that was under way at a truncation makes nothing durable above it", () => {
  const slot = new SlotState(1, new Places());
  const at = (lsn: number, epoch: number) => ({ ...recordOf, lsn, epoch });
  const [one, two, other] = [at(1, 1), at(2, 1), at(2, 2)];
  slot.append(one);
  slot.append(two);
  const cut = { ...at(1, 1), kind: RecordKind.Truncate };
  const undoCut = slot.append(cut);
  const undoOther = slot.append(other);
  slot.settled(one);
  slot.settled(two);
  assertEquals(slot.durableLsn, 1);
  undoOther();
  undoCut();
  assertEquals([slot.lastLsn, slot.lastEpoch, slot.durableLsn], [2, 1, 2]);
  slot.append(cut);
  slot.append(other);
  slot.settled(cut);
  slot.settled(other);
  assertEquals([slot.lastLsn, slot.lastEpoch, slot.durableLsn], [2, 2, 2]);
});

const recordOf = {
  ...{ kind: RecordKind.Put, slot: 1, key: "k", hash: 1, value: new Uint8Array(0) },
  ...{ clientId: "", sequence: 0, lowestUnfinished: 0, outcome: 1 },
};

Deno.test("storage: what was sent to others leaves before a sync that holds up the event loop", async () => {
  const seen: string[] = [];
  class Turns extends TestClock {
    override nextTurn(): Promise<void> {
      return Promise.resolve().then(() => void seen.push("left"));
    }
  }
  const engine = await openOn(new SimDisk(new Turns(), seeded(1)));
  let sends = true;
  engine.onWritten(() => {
    seen.push(sends ? "sent" : "written");
    return sends;
  });
  engine.onDurable(() => seen.push("durable"));
  put(engine, 1, "a", "1");
  await nextGroup(engine);
  sends = false;
  put(engine, 1, "b", "1");
  await nextGroup(engine);
  assertEquals(seen, ["sent", "left", "durable", "written", "durable"]);
  await engine.close();
});
