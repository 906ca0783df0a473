import { assert, assertEquals } from "@std/assert";
import { recordsOf } from "../../core/replication/batch.ts";
import { FollowedSlot } from "../../core/replication/followed_slot.ts";
import { Follower } from "../../core/replication/follower.ts";
import { Promises } from "../../core/replication/promises.ts";
import { RecentRecords } from "../../core/replication/recent_records.ts";
import { SlotOwner } from "../../core/replication/slot_owner.ts";
import { Uncommitted } from "../../core/replication/uncommitted.ts";
import { SnapshotSender } from "../../core/replication/snapshot_sender.ts";
import { MESSAGE_BYTES_MAX } from "../../core/rpc/options.ts";
import type { Engine } from "../../core/storage/engine.ts";
import type { SavedClient } from "../../core/storage/session_bytes.ts";
import { CLIENT_ID_BYTES } from "../../core/storage/sessions.ts";
import { SimDisk } from "../sim/world/disk.ts";
import { openOn, put, seeded, TestClock, written } from "./storage_world.ts";

function newFollowed(engine: Engine, clock: TestClock, slot: number): FollowedSlot {
  const parts = { self: { id: "a", incarnation: 1 }, engine, clock, clientsMax: 1, minInSync: 1 };
  const promises = new Promises(clock, []);
  const memory = { recent: new RecentRecords(1), uncommitted: new Uncommitted(1) };
  const owner = new SlotOwner({ ...parts, ...memory, promises, began: () => {} }, slot, 1);
  return new FollowedSlot(owner, new Follower({ id: "b", incarnation: 1 }, 0), engine);
}

/** A sender of two slots with so many values each, of which four make a part. */
async function sending(bytesPerSecond: number, values = 10) {
  const clock = new TestClock();
  const disk = new SimDisk(clock, seeded(7));
  const engine = await openOn(disk, { cacheBytesMax: 1 << 20 });
  await written(engine, () => {
    for (const slot of [1, 2]) for (let i = 0; i < values; i++) put(engine, slot, `${i}`, "v".repeat(39_999));
  });
  const seen = { sent: 0, done: 0, unreadable: [] as number[], records: [] as Uint8Array[] };
  const sender = new SnapshotSender(engine, clock, bytesPerSecond, {
    send: (_, records) => {
      seen.sent++;
      seen.records.push(records);
    },
    done: () => seen.done++,
    unreadable: ({ slot }) => seen.unreadable.push(slot),
  });
  for (const slot of [1, 2]) sender.add(newFollowed(engine, clock, slot), 0);
  clock.advance(0);
  return { clock, disk, engine, sender, seen };
}

Deno.test("snapshot sender: tells what is sent, what is left, and how fast", async () => {
  const { clock, engine, sender, seen } = await sending(200_000);
  const told = [];
  while (sender.progress !== undefined) {
    const { slots, bytesSent, bytesLeft, bytesPerSecond } = sender.progress;
    told.push([slots, Math.round(bytesSent / 1000), bytesLeft / 1000, Math.round(bytesPerSecond / 10_000)]);
    clock.advance(1000);
    sender.acked(1);
  }
  // Parts of four values go at the rate allowed, in turn.
  assertEquals(told.map(([slots]) => slots), [2, 2, 1, 1, 1]);
  assertEquals(told[0], [2, 160, 640, 0]);
  assertEquals(told[1], [2, 321, 480, 32]);
  assertEquals(seen.done, 2);
  await engine.close();
});

Deno.test("snapshot sender: twelve parts are under way at most", async () => {
  const { clock, engine, sender, seen } = await sending(1e9, 40);
  for (let ms = 0; ms < 20; ms++) clock.advance(1);
  assertEquals(seen.sent, 12);
  sender.acked(1);
  clock.advance(1);
  assertEquals(seen.sent, 13);
  await engine.close();
});

Deno.test("snapshot sender: while clients write, a part that is slow is followed by a rest", async () => {
  const { clock, engine, sender, seen } = await sending(1e9);
  const write = (ms: number) => {
    sender.clientWrote();
    clock.advance(ms);
  };
  const acked = (afterMs: number) => {
    write(afterMs);
    sender.acked(1);
    write(1);
    return seen.sent;
  };
  assertEquals(seen.sent, 1);
  assertEquals([acked(1), acked(1), acked(1)], [2, 3, 4]);
  // It takes longer than the quickest.
  assertEquals(acked(3), 4);
  write(4);
  assertEquals(seen.sent, 4);
  write(10);
  assertEquals(seen.sent, 5);
  await engine.close();
});

Deno.test("snapshot sender: while clients write, parts are small, and one is under way", async () => {
  const { clock, engine, sender, seen } = await sending(1e9);
  const sent = () => [seen.sent, Math.round(sender.progress!.bytesSent / 40_000)];
  sender.clientWrote();
  clock.advance(4);
  assertEquals(sent(), [1, 4]);
  sender.acked(1);
  clock.advance(4);
  assertEquals(sent(), [2, 5]);
  // Nobody has written for a while.
  clock.advance(100);
  sender.acked(1);
  clock.advance(4);
  // The rest of the slot: four values and one.
  assertEquals(sent(), [4, 10]);
  await engine.close();
});

Deno.test("snapshot sender: a value that has rotted ends its slot's snapshot, and is damage; other slots go on", async () => {
  const { clock, disk, engine, sender, seen } = await sending(1e9);
  const told: number[] = [];
  engine.onDamage((slot) => told.push(slot));
  assertEquals(seen.sent, 1);
  const { places } = engine.recovered.state;
  for (const row of engine.recovered.slots[1]!.index.rows()) {
    disk.flip(engine.recovered.files.byId(places.file(row)).path, places.offset(row) + 20_000, 3);
  }
  for (let ms = 0; ms < 20; ms++) clock.advance(1);
  await Promise.resolve();
  assertEquals([told, seen.unreadable], [[1], [1]]);
  assertEquals([seen.sent, seen.done, sender.progress], [4, 1, undefined]);
  await engine.close();
});

Deno.test("snapshot sender: results of more clients than a message holds go in several, also over a checkpoint", async () => {
  const { clock, engine, sender, seen } = await sending(1e9);
  for (let ms = 0; ms < 20; ms++) clock.advance(1);
  seen.records.length = 0;
  const clients = Array.from({ length: 40_000 }, (_, i): SavedClient => [
    `client ${i}`.padEnd(CLIENT_ID_BYTES),
    1,
    [[1, { lsn: 1, epoch: 1, outcome: 1 }]],
  ]);
  engine.recovered.slots[2]!.sessions.replace({ forgotten: "", clients: clients.sort() });
  const disk = new SimDisk(clock, seeded(9));
  let copy = await openOn(disk, { segmentBytes: 1 << 20 });
  sender.add(newFollowed(engine, clock, 2), 0);
  while (sender.progress !== undefined) {
    for (const records of seen.records.splice(0)) {
      assert(records.length < MESSAGE_BYTES_MAX / 2, `${records.length} bytes`);
      for (const record of recordsOf(records)) copy.append(record);
      await new Promise<void>((resolve) => copy.whenSynced(resolve));
      if (copy.slot(2).incomplete) await copy.checkpoint();
      sender.acked(1);
    }
    clock.advance(1);
  }
  for (const records of seen.records) for (const record of recordsOf(records)) copy.append(record);
  await new Promise<void>((resolve) => copy.whenSynced(resolve));
  assertEquals(copy.digestAt(2), engine.digestAt(2));
  copy = await openOn(disk.kill());
  assertEquals(copy.digestAt(2), engine.digestAt(2));
  await copy.close();
  await engine.close();
});
