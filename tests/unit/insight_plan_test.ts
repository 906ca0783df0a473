import { assert, assertEquals, assertThrows } from "@std/assert";
import { reasonsForMaster, reasonsToStay } from "../../core/client/insight/can_stop.ts";
import { memberNamed } from "../../core/client/insight/find.ts";
import { Picture } from "../../core/client/insight/picture.ts";
import { planMoves, ringWithNewcomer } from "../../core/client/insight/plan.ts";
import { KvError } from "../../core/platform/errors.ts";
import { withoutMember } from "../../core/ring/members.ts";
import type { Ring } from "../../core/ring/ring.ts";
import { master, ref, Told } from "./insight_world.ts";

const picture = (told: Told) => new Picture(told.ring, told.servers);

function without(told: Told, id: string): Ring {
  const after = withoutMember(told.ring, ref(id));
  assert(typeof after === "object");
  return after;
}

const range = (first: number, last: number) => Array.from({ length: last - first + 1 }, (_, i) => first + i);

Deno.test("plan: a data node joins and gets the slots nearest to its label, from both neighbours", () => {
  const told = new Told();
  const joined = ringWithNewcomer(told.ring)!;
  assertEquals(joined.node.label, 102);
  const { moves, sizeUnknown, seconds } = planMoves(picture(told), joined.ring);
  assertEquals(moves.map(({ from, to, handedOver }) => [from.id, to.id, handedOver]), [
    ["b", "new", range(86, 102)],
    ["a", "new", range(103, 119)],
  ]);
  // Each of them sends 17 slots of 1000 bytes and 10 keys, at 1000 bytes/s.
  assertEquals(moves.map(({ copied, keys, bytes }) => [copied.length, keys, bytes]), [
    [17, 170, 17_000],
    [17, 170, 17_000],
  ]);
  assertEquals([sizeUnknown, seconds], [[], 17]);
});

Deno.test("plan: a data node is drained; what is in sync already is not copied, and an unknown size is named", () => {
  const told = new Told();
  told.change((entry, slot) => slot === 40 ? { ...entry, isr: [...entry.isr, ref("a")] } : entry);
  const { moves } = planMoves(picture(told), without(told, "b"));
  assertEquals(moves.map(({ from, to }) => [from.id, to.id]), [["b", "a"]]);
  assertEquals(moves[0]!.handedOver, range(35, 102));
  assertEquals(moves[0]!.copied, range(35, 102).filter((slot) => slot !== 40));
  told.kill("b");
  const { sizeUnknown, seconds } = planMoves(picture(told), without(told, "b"));
  assertEquals([sizeUnknown.length, seconds], [67, 0]);
});

Deno.test("plan: with replicas, the copies of a standby that goes are made anew elsewhere", () => {
  const told = new Told(["s", "t"]);
  told.ring = { ...told.ring, replicas: 1 };
  told.change((entry) => ({ ...entry, isr: [entry.owner!, ref("s")] }));
  const { moves } = planMoves(picture(told), without(told, "s"));
  assertEquals(moves.map(({ from, to, copied, handedOver }) => [from.id, to.id, copied.length, handedOver]), [
    ["a", "t", 69, []],
    ["b", "t", 68, []],
  ]);
});

Deno.test("plan: nothing moves in a cluster at rest; the last data node cannot go", () => {
  const told = new Told();
  assertEquals(planMoves(picture(told), told.ring), { moves: [], sizeUnknown: [], seconds: 0 });
  const alone = { ...told.ring, nodes: told.ring.nodes.slice(0, 1) };
  assert(typeof withoutMember(alone, ref("a")) === "string");
});

Deno.test("can-stop: a copy in sync elsewhere must be alive, and minInSync kept", () => {
  const told = new Told();
  assertEquals(reasonsToStay(picture(told), ref("a")), []);
  assertEquals(reasonsToStay(picture(told), ref("s")), []);
  told.replies.get("b")!.minInSync = 2;
  assertEquals(reasonsToStay(picture(told), ref("s")), [
    "slots 35..102: no writes: in sync would be 1 copies, and minInSync asks for 2",
  ]);
  told.kill("s");
  assertEquals(reasonsToStay(picture(told), ref("a")), [
    "slots 0..34, 103..136: no other copy in sync is alive",
  ]);
});

Deno.test("can-stop: without an active master nobody takes over; the last master stays", () => {
  const told = new Told();
  told.masters = [master(":1", false)];
  assertEquals(reasonsToStay(picture(told), ref("a")), [
    "no active master answers that could give its slots to others",
  ]);
  assertEquals(reasonsToStay(picture(told), ref("s")), []);
  assertEquals(reasonsForMaster(picture(told), ":1").length, 1);
  told.masters = [master(":1", true), master(":2", false)];
  assertEquals(reasonsForMaster(picture(told), ":1"), []);
});

Deno.test("nodes are found by address, port and id", () => {
  const { ring } = new Told();
  const local = { ...ring, nodes: [{ ...ring.nodes[0]!, address: "127.0.0.1:9701" }] };
  for (const name of ["a", ":9701", "127.0.0.1:9701"]) assertEquals(memberNamed(local, name).ref, ref("a"));
  assertEquals(memberNamed(local, "s:1").ref, ref("s"));
  const known = "known are: data 127.0.0.1:9701 (label 0) id a, standby s:1 id s";
  assertThrows(
    () => memberNamed(local, "b"),
    KvError,
    `"b" is neither the address nor the id of a node; ${known}`,
  );
});
