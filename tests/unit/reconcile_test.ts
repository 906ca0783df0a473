/** The master's decisions about those who come, come back, and go. */

import { assert, assertEquals } from "@std/assert";
import { followersOf, placementOf } from "../../core/ring/followers.ts";
import { withoutMember } from "../../core/ring/members.ts";
import { cluster, slotsOf, World } from "./reconcile_world.ts";

const ids = (refs: readonly { readonly id: string }[]): string[] => refs.map(({ id }) => id);

Deno.test("reconcile: the first data node takes label 0 and every slot", () => {
  const world = new World();
  world.start("a", "data");
  world.settle();
  assertEquals(world.ring.nodes.map(({ label }) => label), [0]);
  assert(
    world.ring.slots.every(({ owner, epoch, isr, isrSeq }) =>
      owner?.id === "a" && epoch === 1 && isr.length === 1 && isrSeq === 1
    ),
  );
});

Deno.test("reconcile: later data nodes get labels 68 and 102, and follow the slots that they are to own", () => {
  const world = cluster(["a"]);
  world.start("b", "data");
  world.start("c", "data");
  world.settle();
  assertEquals(world.ring.nodes.map(({ ref, label }) => [ref.id, label]), [["a", 0], ["b", 68], ["c", 102]]);
  assertEquals(slotsOf(world, "a").length, 137);
  const placement = placementOf(world.ring);
  assertEquals(ids(followersOf(world.ring, 68, placement)), ["b"]);
  assertEquals(ids(followersOf(world.ring, 102, placement)), ["c"]);
  assertEquals(ids(followersOf(world.ring, 0, placement)), []);
});

Deno.test("reconcile: who has a ring of another cluster is refused", () => {
  const ring = { clusterId: "another", version: 9, nonce: "n" };
  for (const role of ["data", "standby"] as const) {
    const world = cluster(["a"]);
    world.start("b", role).ring = ring;
    world.settle();
    assertEquals([world.ring.nodes.length, world.ring.standbys.length], [1, 0]);
    assertEquals(
      world.refused.get("b"),
      "its folder belongs to cluster another, this is cluster cluster; name the folder of a node of this cluster, " +
        "or an empty one",
    );
  }
});

Deno.test("reconcile: a candidate that does not answer waits, and holds up nobody", () => {
  const world = cluster(["a"]);
  const silent = world.start("b", "data");
  world.start("c", "data");
  const answers = new Map([...world.answers].filter(([id]) => id !== silent.ref.id));
  Object.defineProperty(world, "answers", { value: answers });
  world.settle();
  assertEquals(ids(world.ring.nodes.map(({ ref }) => ref)), ["a", "c"]);
});

Deno.test("reconcile: standbys are listed in order of id; dead ones are marked while they are in sync, and struck off else", () => {
  const world = cluster(["a"]);
  for (const id of ["t", "s", "u"]) world.start(id, "standby");
  world.settle();
  assertEquals(ids(world.ring.standbys.map(({ ref }) => ref)), ["s", "t", "u"]);
  world.sync(["t"]);
  world.kill("s", "t");
  world.living.get("u")!.registered = false;
  world.settle();
  const listed = () => world.ring.standbys.map(({ ref: { id }, leaving }) => leaving ? `${id} leaves` : id);
  assertEquals(listed(), ["t leaves", "u"]);
  assertEquals(ids(world.ring.slots[0]!.isr), ["a", "t"], "as a member it can come back");
  const alone = world.ring.slots.map((entry) => ({
    ...entry,
    isr: [entry.owner!],
    isrSeq: entry.isrSeq + 1,
  }));
  world.become({ ...world.ring, slots: alone });
  world.settle();
  assertEquals(listed(), ["u"]);
});

Deno.test("reconcile: the number of replicas follows the configuration", () => {
  const world = cluster(["a"], ["s", "t"]);
  world.replicas = 1;
  assertEquals(world.settle().ring.replicas, 1);
});

Deno.test("reconcile: a restarted data node is listed again, at its new address, in a higher epoch", () => {
  const world = cluster(["a", "b"], ["s"]);
  const before = world.ring;
  const back = world.start("b", "data", 2);
  world.settle();
  for (const [slot, entry] of world.ring.slots.entries()) {
    const { owner, epoch, isr, isrSeq } = before.slots[slot]!;
    const own = owner?.id === "b";
    assertEquals(entry.owner, own ? back.ref : owner);
    assertEquals(entry.epoch, epoch + (own ? 1 : 0));
    assertEquals(entry.isrSeq, isrSeq + (own ? 1 : 0));
    assertEquals(ids(entry.isr), ids(isr));
  }
  assertEquals(world.ring.nodes.find(({ ref }) => ref.id === "b")?.address, "b:2");
});

Deno.test("reconcile: a restarted standby is in sync again where its copies are good, and nowhere else", () => {
  const world = cluster(["a"], ["s"]);
  const back = world.start("s", "standby", 2);
  back.unusable.add(5);
  world.settle();
  for (const [slot, { isr, epoch, isrSeq }] of world.ring.slots.entries()) {
    assertEquals(isr.find(({ id }) => id === "s"), slot === 5 ? undefined : back.ref);
    assertEquals([epoch, isrSeq], [1, 3]);
  }
});

Deno.test("reconcile: a restarted owner with a damaged copy gives the slot to another; the last one keeps it", () => {
  const world = cluster(["a"], ["s"]);
  world.become({
    ...world.ring,
    slots: world.ring.slots.with(6, { ...world.entry(6), isr: [{ id: "a", incarnation: 1 }], isrSeq: 9 }),
  });
  const back = world.start("a", "data", 2);
  back.unusable.add(5).add(6);
  world.settle();
  assertEquals([world.entry(5).owner?.id, ids(world.entry(5).isr)], ["s", ["s"]]);
  assertEquals(world.entry(6).owner, back.ref);
  assertEquals(world.entry(7).owner, back.ref);
});

Deno.test("reconcile: a registration left over from an earlier incarnation changes nothing", () => {
  const world = cluster(["a"]);
  world.start("a", "data", 3);
  world.settle();
  const settled = world.ring;
  world.start("a", "data", 2);
  assertEquals(world.settle().ring, settled);
});

Deno.test("reconcile: a data node without copies elsewhere keeps its seat and its slots while it is away", () => {
  const world = cluster(["a", "b"]);
  const before = world.ring;
  world.kill("a", "b");
  assertEquals(world.settle().ring, before);
});

Deno.test("reconcile: one node more than there are seats is refused with the bound, and only it", () => {
  const world = new World(13);
  for (let i = 0; i < 14; i++) {
    world.start(`n${i}`, "data");
    world.settle();
  }
  assertEquals(new Set(world.ring.nodes.map(({ label }) => label)).size, 13);
  assertEquals([...world.refused.keys()], ["n13"]);
  assert(world.refused.get("n13")!.includes("all 13 seats"));
});

Deno.test("leave: a data node is marked and gone when it has nothing left; the last one is refused", () => {
  const world = cluster(["a", "b"], ["s"]);
  const { ref } = world.living.get("b")!;
  world.living.get("b")!.registered = false;
  const left = withoutMember(world.ring, ref);
  assert(typeof left === "object");
  world.become({ ...world.ring, ...left });
  assert(placementOf(world.ring).wanted.every((node) => node?.ref.id === "a"));
  world.settle();
  assertEquals(world.ring.nodes.length, 2);
  assert(typeof withoutMember(world.ring, world.living.get("a")!.ref) === "string");
  const all = { ...world.entry(0), epoch: 9, isrSeq: 9 };
  world.become({ ...world.ring, slots: world.ring.slots.map(() => all) });
  world.settle();
  assertEquals(world.ring.nodes.map(({ ref }) => ref.id), ["a"]);
  assertEquals(withoutMember(world.ring, ref), world.ring);
});

Deno.test("leave: a node that registers again does not leave any more; nor does a standby", () => {
  const world = cluster(["a", "b"], ["s"]);
  world.become({
    ...world.ring,
    nodes: world.ring.nodes.map((node) => ({ ...node, leaving: node.label > 0 })),
  });
  world.settle();
  assert(world.ring.nodes.every(({ leaving }) => !leaving));
  const left = withoutMember(world.ring, world.living.get("s")!.ref);
  assert(typeof left === "object");
  assertEquals(left.standbys.map(({ leaving }) => leaving), [true]);
  world.become(left);
  world.settle();
  assertEquals(world.ring.standbys.map(({ leaving }) => leaving), [false]);
});

Deno.test("join: a standby with which the ring document could grow too large is refused, the others are listed", () => {
  const world = new World(1021);
  world.start("a".repeat(36), "data");
  world.settle();
  for (let i = 10; i < 40; i++) world.start(`${i}${"s".repeat(34)}`, "standby");
  world.settle();
  const listed = world.ring.standbys.length;
  assert(listed > 0 && listed < 30, `${listed} standbys`);
  assertEquals(world.refused.size, 30 - listed);
  for (const reason of world.refused.values()) assert(reason.includes("ring document could grow to"), reason);
});
