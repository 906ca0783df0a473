import { assert, assertEquals } from "@std/assert";
import { SnapshotSource } from "../../core/replication/snapshot_source.ts";
import { type Engine, type LogRecord, RecordKind } from "../../core/storage/engine.ts";
import { SimDisk } from "../sim/world/disk.ts";
import { bytesOf, openOn, recordFor, seeded, TestClock, written } from "./storage_world.ts";

const newDisk = (seed: number) => new SimDisk(new TestClock(), seeded(seed));

/** Puts and deletes by three clients, in the order of their LSNs, with what differs from that. */
function records(change: Partial<LogRecord> = {}, at = 17): Partial<LogRecord>[] {
  return Array.from({ length: 40 }, (_, i): Partial<LogRecord> => {
    const kind = i % 7 === 6 ? RecordKind.Delete : RecordKind.Put;
    const value = bytesOf(kind === RecordKind.Put ? `value ${i}` : "");
    const clientId = `client ${i % 3}`.padEnd(16);
    const plain = {
      kind,
      key: `key ${i % 11}`,
      value,
      clientId,
      sequence: i + 1,
      lowestUnfinished: i / 2 | 0,
    };
    return { ...plain, outcome: 1, ...(i === at ? change : {}) };
  });
}

async function filled(seed: number, all = records()): Promise<Engine> {
  const engine = await openOn(newDisk(seed));
  for (const each of all) await written(engine, () => engine.append(recordFor(engine, 1, each)));
  return engine;
}

Deno.test("digest: the same however a copy came about: by its log, a snapshot, a restart", async () => {
  const engine = await filled(1);
  const digest = engine.digestAt(1);
  assertEquals([digest?.lsn, digest?.keys], [40, engine.keysOf(1).length]);
  const copy = await openOn(newDisk(2));
  for (const record of new SnapshotSource(engine, 1, 0).records) copy.append(record);
  await new Promise<void>((resolve) => copy.whenSynced(resolve));
  assertEquals(copy.digestAt(1), digest);
  await engine.checkpoint();
  await engine.compacted();
  await engine.close();
  const again = await openOn((engine.options.disk as SimDisk).kill());
  assertEquals(again.digestAt(1), digest);
  for (const each of [copy, again]) await each.close();
});

Deno.test("digest: another one for another key, value, version, result or client", async () => {
  const engines = await Promise.all([
    filled(1),
    filled(2, records({ key: "key x" })),
    filled(3, records({ value: bytesOf("value y") }, 39)),
    filled(4, [...records().slice(0, 38), ...records().slice(38).reverse()]),
    filled(5, records({ outcome: 2 }, 38)),
    filled(6, records({ clientId: "another client!!" })),
    filled(7, records({ lowestUnfinished: 30 }, 39)),
  ]);
  const digests = new Set(engines.map((engine) => JSON.stringify(engine.digestAt(1))));
  assertEquals(digests.size, engines.length);
  for (const engine of engines) await engine.close();
});

Deno.test("digest: a copy that is distrusted is damaged until a snapshot of all has come", async () => {
  const engine = await filled(1);
  const source = [...new SnapshotSource(engine, 1, 0).records];
  const told: number[] = [];
  engine.onDamage((slot) => told.push(slot));
  engine.distrust(1, "not like others");
  await Promise.resolve();
  assertEquals([told, engine.slot(1).damage?.reason], [[1], "not like others"]);
  for (const record of source) engine.append(record);
  await new Promise<void>((resolve) => engine.whenSynced(resolve));
  assert(engine.slot(1).damage === undefined);
  assertEquals(engine.digestAt(1)?.keys, engine.keysOf(1).length);
  await engine.close();
});
