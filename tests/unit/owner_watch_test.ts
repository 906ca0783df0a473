import { assertEquals } from "@std/assert";
import { OwnerWatch } from "../../core/replication/owner_watch.ts";
import type { NodeRef, Ring } from "../../core/ring/ring.ts";
import { SimClock } from "../sim/world/clock.ts";
import { SeededRandom } from "../sim/world/random.ts";
import { Scheduler, SimProcess } from "../sim/world/scheduler.ts";
import { ringOf } from "./client_world.ts";

const SELF: NodeRef = { id: "self", incarnation: 1 };
const OWNER = { ref: { id: "owner", incarnation: 1 }, address: "o:1", label: 0, leaving: false };

/** The owner's slots, with this node in sync for the first `copies` of them. */
function ringWith(version: number, copies: number): Ring {
  const ring = ringOf(version, [OWNER], () => OWNER);
  const slots = ring.slots.map((entry, i) => i < copies ? { ...entry, isr: [OWNER.ref, SELF] } : entry);
  return { ...ring, promiseMs: 600, slots };
}

Deno.test("owner watch: an owner is suspected once it is silent, but not by one who is in sync with none of its slots", async () => {
  const scheduler = new Scheduler(new SeededRandom(1));
  const clock = new SimClock(new SimProcess(scheduler, "p"), new SeededRandom(1));
  let ring = ringWith(1, 1);
  let suspected = 0;
  const watch = new OwnerWatch(clock, SELF, () => ring, () => suspected++);
  const pass = (ms: number) => scheduler.runUntil(() => false, scheduler.nowMs + ms);
  watch.heard(OWNER.ref);
  await pass(400);
  assertEquals(suspected, 0);
  await pass(500);
  assertEquals(suspected > 0, true);

  // What it was in sync with has been handed over: that the owner says nothing any more is no wonder.
  ring = ringWith(2, 0);
  watch.broken(OWNER.ref);
  suspected = 0;
  await pass(5000);
  assertEquals(suspected, 0);
  watch.stop();
});
