import { assertEquals } from "@std/assert";
import { DumpStream } from "../../core/cluster/dump_stream.ts";
import { KvError } from "../../core/platform/errors.ts";
import type { DumpPage } from "../../proto/gen/kv/v1/kv.ts";
import { SimDisk } from "../sim/world/disk.ts";
import { openOn, put, remove, seeded, TestClock, textOf, written } from "./storage_world.ts";

const SLOTS = [1, 2];
const VALUE = "v".repeat(60_000);

/** A dump of two slots with so many values each; turns of the event loop end when told. */
async function dumping(values: number) {
  const clock = new TestClock();
  const turns: (() => void)[] = [];
  clock.nextTurn = () => new Promise((resolve) => turns.push(resolve));
  const engine = await openOn(new SimDisk(clock, seeded(7)), { segmentBytes: 1 << 20 });
  await written(engine, () => {
    for (const slot of SLOTS) for (let i = 0; i < values; i++) put(engine, slot, `${i}`, VALUE);
  });
  const seen = { pages: [] as DumpPage[], room: true, ended: false, error: undefined as Error | undefined };
  const table = {
    ringVersion: 1,
    owned: () => SLOTS,
    owner: (slot: number) => SLOTS.includes(slot) ? { checkAnswer: () => {} } : undefined,
  };
  const stream = new DumpStream(engine, table, clock, {
    send: (page) => {
      seen.pages.push(page);
      return seen.room;
    },
    end: () => void (seen.ended = true),
    cancel: (error) => void (seen.error = error),
  });
  const nextTurn = async () => {
    turns.splice(0).forEach((resolve) => resolve());
    for (let i = 0; i < 3; i++) await Promise.resolve();
  };
  const keys = () =>
    seen.pages.flatMap(({ entries }) => entries.map(({ slot, key }) => `${slot}/${textOf(key)}`));
  return { engine, stream, seen, nextTurn, keys };
}

Deno.test("dump: one page in a turn, and none while the receiver takes none", async () => {
  const { engine, stream, seen, nextTurn, keys } = await dumping(20);
  stream.message({ slots: [], keysOnly: false });
  assertEquals(seen.pages.length, 1);
  await nextTurn();
  assertEquals([seen.pages.length, seen.pages[0]!.entries.length], [2, 5]);
  seen.room = false;
  for (let i = 0; i < 5; i++) await nextTurn();
  assertEquals(seen.pages.length, 3);
  seen.room = true;
  stream.drained();
  for (let i = 0; i < 20; i++) await nextTurn();
  assertEquals([seen.ended, seen.pages.length], [true, 8]);
  assertEquals(
    keys().toSorted(),
    SLOTS.flatMap((slot) => Array.from({ length: 20 }, (_, i) => `${slot}/${i}`)).toSorted(),
  );
  await engine.close();
});

Deno.test("dump: each slot as it was at one moment, whatever is written meanwhile", async () => {
  const { engine, stream, seen, nextTurn, keys } = await dumping(20);
  stream.message({ slots: [1], keysOnly: false });
  await written(engine, () => {
    for (let i = 0; i < 20; i += 2) put(engine, 1, `${i}`, "changed");
    for (let i = 1; i < 20; i += 2) remove(engine, 1, `${i}`);
    put(engine, 1, "new", "new");
  });
  for (let i = 0; i < 10; i++) await nextTurn();
  assertEquals([seen.ended, keys().length], [true, 20]);
  for (const { value, version } of seen.pages.flatMap(({ entries }) => entries)) {
    assertEquals([textOf(value) === VALUE, version <= 20], [true, true]);
  }
  await engine.close();
});

Deno.test("dump: a slot that is not served here ends it, and so does a client that goes away", async () => {
  const { engine, stream, seen, nextTurn } = await dumping(20);
  stream.message({ slots: [1, 3], keysOnly: false });
  for (let i = 0; i < 10; i++) await nextTurn();
  assertEquals([(seen.error as KvError).code, seen.ended], ["wrong-owner", false]);
  const other = await dumping(20);
  other.stream.message({ slots: [1], keysOnly: false });
  other.stream.closed();
  for (let i = 0; i < 10; i++) await other.nextTurn();
  assertEquals([other.seen.pages.length, other.seen.ended], [1, false]);
  for (const each of [engine, other.engine]) await each.close();
});
