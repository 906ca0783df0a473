import { assertEquals } from "@std/assert";
import { ProposalKind } from "../../proto/gen/kv/v1/cluster.ts";
import { Follower } from "../../core/replication/follower.ts";
import { Promises } from "../../core/replication/promises.ts";
import { RecentRecords } from "../../core/replication/recent_records.ts";
import { type OwnedWish, Rounds } from "../../core/replication/rounds.ts";
import { SlotOwner } from "../../core/replication/slot_owner.ts";
import { Uncommitted } from "../../core/replication/uncommitted.ts";
import { SimDisk } from "../sim/world/disk.ts";
import { openOn, seeded, TestClock } from "./storage_world.ts";

async function world() {
  const clock = new TestClock();
  const engine = await openOn(new SimDisk(clock, seeded(5)));
  const self = { id: engine.nodeId, incarnation: engine.incarnation };
  const parts = {
    ...{ self, engine, clock, clientsMax: 10, minInSync: 1, began: () => {} },
    promises: new Promises(clock, [0, 0, 0]),
    recent: new RecentRecords(1000),
    uncommitted: new Uncommitted(1 << 20),
  };
  const wish = (slot: number, kind: ProposalKind, reason?: string): OwnedWish => {
    const follower = new Follower({ id: "follower", incarnation: 1 }, clock.monotonicMs());
    return { owner: new SlotOwner(parts, slot, 1), wish: { kind, follower, reason } };
  };
  return { clock, engine, wish, rounds: new Rounds(clock, engine) };
}

Deno.test("rounds: what nobody waits for goes together, the rest at once", async () => {
  const { clock, engine, wish, rounds } = await world();
  const superfluous = wish(0, ProposalKind.REMOVE);
  const broken = wish(1, ProposalKind.REMOVE, "it cannot be reached");
  const caughtUp = wish(2, ProposalKind.ADD);
  clock.advance(1000);
  assertEquals(rounds.due([superfluous, caughtUp], true), [superfluous, caughtUp]);
  assertEquals(rounds.due([superfluous, broken, caughtUp], true), [broken]);
  assertEquals(rounds.due([superfluous, broken, caughtUp], false), [broken, caughtUp]);
  clock.advance(500);
  assertEquals(rounds.due([superfluous, caughtUp], true), [superfluous, caughtUp]);
  await engine.close();
});

Deno.test("rounds: a round waits for the slots that are held, as long as there are any", async () => {
  const { clock, engine, wish, rounds } = await world();
  const handOver = wish(0, ProposalKind.HAND_OVER);
  const superfluous = wish(1, ProposalKind.REMOVE);
  // The successor has not acknowledged anything yet.
  handOver.wish.follower.ackedLsn = -1;
  clock.advance(1000);
  assertEquals(rounds.due([handOver, superfluous], false), []);
  assertEquals([rounds.open, handOver.owner.held], [true, true]);
  handOver.wish.follower.ackedLsn = 0;
  assertEquals(rounds.due([handOver, superfluous], false), [handOver, superfluous]);
  assertEquals(rounds.open, false);

  // The next one does not get ready; writes go on, and the others do not wait for it any more.
  handOver.wish.follower.ackedLsn = -1;
  clock.advance(1000);
  assertEquals([rounds.due([handOver, superfluous], false), rounds.open], [[], true]);
  clock.advance(100);
  assertEquals([rounds.due([handOver, superfluous], false), rounds.open], [[superfluous], false]);

  // One that is complete goes without one that is not.
  const complete = wish(2, ProposalKind.HAND_OVER);
  complete.wish.follower.ackedLsn = 0;
  clock.advance(1000);
  assertEquals([rounds.due([handOver, complete], false), rounds.open], [[], true]);
  clock.advance(80);
  assertEquals([rounds.due([handOver, complete], false), rounds.open], [[complete], false]);

  // Or it goes out of sync meanwhile, and there is nothing to wait for.
  clock.advance(1000);
  assertEquals([rounds.due([handOver], false), rounds.open], [[], true]);
  assertEquals([rounds.due([], false), rounds.open], [[], false]);
  await engine.close();
});
