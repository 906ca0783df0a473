import { assertEquals, assertThrows } from "@std/assert";
import { KvError } from "../../core/platform/errors.ts";
import { SimDisk } from "../sim/world/disk.ts";
import { openOn, put, remove, seeded, TestClock, textOf, written } from "./storage_world.ts";

const SLOT = 1;
const KEYS = Array.from({ length: 40 }, (_, i) => `key${i}`);
const VALUE = "v".repeat(5000);

/** A slot with values, and what its entries were, of which the first has been taken. */
async function reading(compactBytesMin: number) {
  const engine = await openOn(new SimDisk(new TestClock(), seeded(3)), { compactBytesMin });
  await written(engine, () => KEYS.forEach((key) => put(engine, SLOT, key, `${VALUE} of ${key}`)));
  const before = [...engine.entries(SLOT)].map(({ key, value, version }) => [key, version, textOf(value)]);
  const entries = engine.entries(SLOT);
  const first = entries.next().value!;
  return { engine, before: before.slice(1), entries, first };
}

Deno.test("entries: of one moment, whatever changes while they are taken", async () => {
  const { engine, before, entries, first } = await reading(1 << 30);
  await written(engine, () => {
    for (const key of KEYS.slice(0, 20)) put(engine, SLOT, key, "changed");
    for (const key of KEYS.slice(20)) remove(engine, SLOT, key);
    put(engine, SLOT, "new", "new");
  });
  assertEquals([...entries].map(({ key, value, version }) => [key, version, textOf(value)]), before);
  assertEquals(textOf(first.value), `${VALUE} of ${first.key}`);
  await engine.close();
});

Deno.test("entries: those that have only moved are found; what is gone for good is told, and is no damage", async () => {
  const { engine, before, entries } = await reading(1);
  const [moved, changed] = [before[0]!, before.at(-1)!];
  for (let i = 0; i < 4; i++) {
    await written(engine, () => {
      for (const key of KEYS) if (key !== moved[0]) put(engine, SLOT, key, `${VALUE} ${i}`);
    });
    await engine.checkpoint();
    await engine.compacted();
  }
  await engine.checkpoint();
  const { key, version, value } = entries.next().value!;
  assertEquals([key, version, textOf(value)], moved);
  const error = assertThrows(() => [...entries], KvError, "changed while it was read");
  assertEquals(error.code, "unavailable");
  assertEquals(engine.slot(SLOT).damage, undefined);
  assertEquals(engine.read(SLOT, changed[0] as string) !== undefined, true);
  await engine.close();
});
