import { assertEquals } from "@std/assert";
import { slotsName } from "../../core/client/insight/names.ts";
import { verdictOf } from "../../core/client/insight/verdict.ts";
import { master, ref, Told } from "./insight_world.ts";

/** The state, and what the problems are about. */
function judged({ ring, servers }: Told): [string, ...string[]] {
  const { state, problems } = verdictOf(ring, servers);
  return [state, ...problems.map(({ what }) => what)];
}

const B_SLOTS = "slots 35..102";

Deno.test("verdict: all is served and in sync", () => {
  assertEquals(judged(new Told()), ["healthy"]);
});

Deno.test("verdict: nobody tells the ring", () => {
  const { state, problems } = verdictOf(undefined, []);
  assertEquals([state, problems.length], ["unavailable", 1]);
});

Deno.test("verdict: a dead data node, whose copies are in sync elsewhere", () => {
  const told = new Told();
  told.kill("b");
  assertEquals(judged(told), [
    "unavailable",
    `${B_SLOTS}: the owner, data b:1 (label 68), does not answer; in sync: standby s:1`,
    "data b:1 (label 68) does not answer",
  ]);
});

Deno.test("verdict: no copy in sync is alive, and all that would do are named", () => {
  const told = new Told();
  told.kill("b", "s");
  assertEquals(
    judged(told)[1],
    `${B_SLOTS}: no copy in sync is alive; missing: data b:1 (label 68) or standby s:1`,
  );
});

Deno.test("verdict: a restarted process that the ring does not list yet serves nothing", () => {
  const told = new Told();
  told.replies.get("b")!.node = { id: "b", incarnation: 2 };
  for (let slot = 35; slot <= 102; slot++) told.tell(slot, { serving: false });
  assertEquals(judged(told)[0], "unavailable");
});

Deno.test("verdict: slots that their owner does not serve, by its reasons", () => {
  const told = new Told();
  for (const slot of [5, 6, 130]) told.tell(slot, { serving: false, reason: "damaged" });
  told.tell(7, { serving: false, reason: "promised" });
  assertEquals(judged(told), [
    "unavailable",
    "slots 5..6, 130: not served by data a:1 (label 0): damaged",
    "slot 7: not served by data a:1 (label 0): promised",
  ]);
});

Deno.test("verdict: one node is newer than the ring, and serves", () => {
  const told = new Told();
  told.change((entry, slot) => slot === 40 ? { ...entry, owner: ref("a"), epoch: 2 } : entry);
  assertEquals(judged(told), ["healthy"]);
});

Deno.test("verdict: too few copies for minInSync", () => {
  const told = new Told();
  told.replies.get("a")!.minInSync = 3;
  assertEquals(judged(told), [
    "unavailable",
    "slots 0..34, 103..136: no writes: in sync are 2 copies, and minInSync asks for 3",
  ]);
});

Deno.test("verdict: no standby, or one that catches up", () => {
  assertEquals(judged(new Told([])), [
    "degraded",
    "no standby is left: the keys of a data node that dies wait for its return",
  ]);
  const told = new Told(["s", "t"]);
  told.change((entry, slot) => slot < 2 ? { ...entry, isr: entry.isr.slice(0, 2) } : entry);
  assertEquals(judged(told), ["degraded", "standby t:1 is not in sync with 2 slots yet (slots 0..1)"]);
});

Deno.test("verdict: masters and coordinator", () => {
  const told = new Told();
  told.masters = [master(":1", undefined), master(":2", false)];
  const nothing = "nothing takes the place of what dies, and nothing joins or leaves";
  assertEquals(judged(told), ["degraded", `no active master answers (:1): ${nothing}`]);
  told.masters = [master(":2", false)];
  assertEquals(judged(told), ["degraded", `no active master is known: ${nothing}`]);
  told.masters = [master(":1", undefined), master(":2", undefined), master(":3", true)];
  assertEquals(judged(told), ["degraded", "1 of 3 masters answer, not :1, :2"]);
  told.masters = [master(":1", undefined), master(":2", true), master(":3", false)];
  assertEquals(judged(told), ["healthy"]);
  told.replies.get("a")!.coordinator = "suspended";
  assertEquals(judged(told), ["degraded", "without the coordinator: a:1 (suspended)"]);
});

Deno.test("verdict: copies that were not the same", () => {
  const told = new Told();
  told.replies.get("b")!.mismatches = [{ slot: 40, lsn: 7, wrong: [ref("s")], agoMs: 180_000 }];
  assertEquals(judged(told), [
    "degraded",
    "slot 40: copies were not the same at lsn 7; that of standby s:1 was given up (found 3 minutes ago)",
  ]);
});

Deno.test("verdict: an empty cluster has no owners", () => {
  const told = new Told([]);
  told.kill("a", "b");
  told.change(() => ({ owner: undefined, epoch: 0, isr: [], isrSeq: 0 }));
  assertEquals(judged(told)[1], "slots 0..136: no owner yet");
});

Deno.test("names of slots", () => {
  assertEquals([[3], [3, 4], [1, 3, 4, 5, 9]].map(slotsName), ["slot 3", "slots 3..4", "slots 1, 3..5, 9"]);
});
