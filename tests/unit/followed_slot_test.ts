import { assertEquals } from "@std/assert";
import { FollowedSlot } from "../../core/replication/followed_slot.ts";
import { Follower } from "../../core/replication/follower.ts";
import { Promises } from "../../core/replication/promises.ts";
import { RecentRecords } from "../../core/replication/recent_records.ts";
import { SlotOwner } from "../../core/replication/slot_owner.ts";
import { Uncommitted } from "../../core/replication/uncommitted.ts";
import { SimDisk } from "../sim/world/disk.ts";
import { nextGroup, openOn, put, seeded, TestClock } from "./storage_world.ts";

const SELF = { id: "a", incarnation: 1 };
const OTHER = { id: "b", incarnation: 1 };
const SLOT = 1;

Deno.test("followed slot: who lacks only what is in memory gets that, though its own last record is not", async () => {
  const clock = new TestClock();
  const engine = await openOn(new SimDisk(clock, seeded(7)));
  const recent = new RecentRecords(1 << 20);
  const parts = { self: SELF, engine, clock, clientsMax: 1, minInSync: 1, promises: new Promises(clock, []) };
  const owner = new SlotOwner(
    { ...parts, recent, uncommitted: new Uncommitted(1 << 20), began: () => {} },
    SLOT,
    1,
  );
  const entry = { owner: SELF, epoch: 1, isrSeq: 1, isr: [SELF], lineage: 0 };
  owner.adopt(entry, []);
  await nextGroup(engine);
  owner.advance();
  const write = async (key: string) => {
    put(engine, SLOT, key, "value");
    await nextGroup(engine);
    owner.advance();
    return engine.slot(SLOT).lastLsn;
  };
  const old = await write("before there was a follower");
  owner.adopt(entry, [OTHER]);
  const later = await write("while it was down");
  assertEquals([recent.at(SLOT, old), recent.at(SLOT, later)?.lsn], [undefined, later]);
  const followed = new FollowedSlot(owner, new Follower(OTHER, 0), engine);
  const position = { slot: SLOT, epoch: 1, committedLsn: old - 1, damaged: false, incomplete: false };
  const toldOf = (epoch: number) => followed.catchUp({ ...position, runEpochs: [epoch], runLsns: [old] });
  assertEquals(toldOf(1), { kind: "log", afterLsn: old, afterEpoch: 1 });

  // A copy that was given up has acknowledged what the next one may lack.
  const { follower } = followed;
  owner.acked(follower, later, clock.monotonicMs());
  assertEquals([toldOf(1).kind, follower.ackedLsn], ["log", old]);
  const given = followed.catchUp({ ...position, damaged: true, runEpochs: [1], runLsns: [old] });
  assertEquals([given.kind, follower.ackedLsn], ["snapshot", 0]);
  await engine.close();
});
