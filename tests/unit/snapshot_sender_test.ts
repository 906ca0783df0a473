import { assertEquals } from "@std/assert";
import { FollowedSlot } from "../../core/replication/followed_slot.ts";
import { Follower } from "../../core/replication/follower.ts";
import { Promises } from "../../core/replication/promises.ts";
import { RecentRecords } from "../../core/replication/recent_records.ts";
import { SlotOwner } from "../../core/replication/slot_owner.ts";
import { SnapshotSender } from "../../core/replication/snapshot_sender.ts";
import { SimDisk } from "../sim/world/disk.ts";
import { openOn, put, seeded, TestClock, written } from "./storage_world.ts";

Deno.test("snapshot sender: tells what is sent, what is left, and how fast", async () => {
  const clock = new TestClock();
  const engine = await openOn(new SimDisk(clock, seeded(7)), { cacheBytesMax: 1 << 20 });
  await written(engine, () => {
    for (const slot of [1, 2]) for (let i = 0; i < 10; i++) put(engine, slot, `${i}`, "v".repeat(39_999));
  });
  const parts = { self: { id: "a", incarnation: 1 }, engine, clock, clientsMax: 1, minInSync: 1 };
  const promises = new Promises(clock, []);
  const followed = [1, 2].map((slot) => {
    const owner = new SlotOwner(
      { ...parts, promises, recent: new RecentRecords(1), began: () => {} },
      slot,
      1,
    );
    return new FollowedSlot(owner, new Follower({ id: "b", incarnation: 1 }, 0), engine);
  });
  let done = 0;
  const sender = new SnapshotSender(engine, clock, 200_000, { send: () => {}, done: () => done++ });
  assertEquals(sender.progress, undefined);
  for (const each of followed) sender.add(each, 0);
  const seen = [];
  while (sender.progress !== undefined) {
    const { slots, bytesSent, bytesLeft, bytesPerSecond } = sender.progress;
    seen.push([slots, Math.round(bytesSent / 1000), bytesLeft / 1000, Math.round(bytesPerSecond / 10_000)]);
    clock.advance(1000);
    sender.acked(1);
  }
  // Parts of four values go at the rate allowed, in turn.
  assertEquals(seen.map(([slots]) => slots), [2, 2, 1, 1, 1]);
  assertEquals(seen[0], [2, 160, 640, 0]);
  assertEquals(seen[1], [2, 321, 480, 32]);
  assertEquals(done, 2);
  await engine.close();
});
