/** Failover: who gets the slots of a lost data node, and who never does. */

import { assert, assertEquals } from "@std/assert";
import { lossOf, type Observed } from "../../core/cluster/decide/verdict.ts";
import { sameRef } from "../../core/ring/ring.ts";
import { cluster, slotsOf, type World } from "./reconcile_world.ts";
import { Seeded } from "./seeded.ts";

const labels = ({ ring }: World): [string, number, boolean][] =>
  ring.nodes.map(({ ref, label, leaving }) => [ref.id, label, leaving]);

Deno.test("promote: the standby that is in sync for most gets the label and the slots", () => {
  const world = cluster(["a", "b"], ["s", "t"]);
  const slots = slotsOf(world, "b");
  const epochs = world.ring.slots.map(({ epoch }) => epoch);
  world.sync([], () => false);
  world.kill("b");
  world.settle();
  assertEquals(labels(world), [["a", 0, false], ["s", 68, false]]);
  assertEquals(slotsOf(world, "s"), slots);
  assertEquals(world.ring.standbys.map(({ ref }) => ref.id), ["t"]);
  for (const slot of slots) {
    assertEquals(world.entry(slot).isr.map(({ id }) => id).sort(), ["s", "t"]);
    assertEquals(world.entry(slot).epoch, epochs[slot]! + 1);
  }
});

Deno.test("promote: a slot without a live member keeps its owner, who keeps a seat; the others go", () => {
  const world = cluster(["a", "b"]);
  world.start("s", "standby");
  world.settle();
  const [first, ...others] = slotsOf(world, "b");
  world.sync(["s"], (slot) => others.includes(slot));
  world.kill("b");
  world.settle();
  assertEquals(slotsOf(world, "b"), [first]);
  assertEquals(slotsOf(world, "s"), others);
  assertEquals(labels(world), [["a", 0, false], ["s", 68, false], ["b", 102, true]]);
  world.start("b", "data", 2);
  world.settle();
  assertEquals(labels(world), [["a", 0, false], ["s", 68, false], ["b", 102, false]]);
  assertEquals(world.entry(first!).owner, { id: "b", incarnation: 2 });
});

Deno.test("promote: slots for which the heir is not in sync go to other members, spread", () => {
  const world = cluster(["a"]);
  for (const id of ["s", "t", "u"]) world.start(id, "standby");
  world.settle();
  world.sync(["s"], (slot) => slot < 100);
  world.sync(["t", "u"], (slot) => slot >= 90);
  world.kill("a");
  world.settle();
  assertEquals(labels(world), [["s", 0, false]]);
  assertEquals(slotsOf(world, "s").length, 100);
  const [t, u] = [slotsOf(world, "t").length, slotsOf(world, "u").length];
  assert(t + u === 37 && Math.abs(t - u) <= 1, `${t} and ${u}`);
});

Deno.test("promote: without a standby, data nodes that are in sync get the slots, and the dead one goes", () => {
  const world = cluster(["a", "b"]);
  world.sync(["a"], (_, { owner }) => owner?.id === "b");
  world.kill("b");
  world.settle();
  assertEquals(labels(world), [["a", 0, false]]);
  assertEquals(slotsOf(world, "a").length, 137);
});

Deno.test("promote: the stuck one is replaced; an owner that answers is not, registered or not", () => {
  const world = cluster(["a"], ["s"]);
  world.living.get("a")!.registered = false;
  const before = world.ring;
  assertEquals(world.settle().ring, before);
  world.living.get("a")!.stuck = true;
  world.living.get("a")!.registered = true;
  world.settle();
  assertEquals(slotsOf(world, "s").length, 137);
  assertEquals(labels(world), [["s", 0, false]]);
});

Deno.test("promote: a member that has restarted, is stuck, or has a bad copy, is not promoted", () => {
  const world = cluster(["a"], ["s", "t", "u"]);
  world.start("s", "standby", 2).registered = false;
  world.living.get("t")!.stuck = true;
  world.living.get("u")!.unusable.add(3);
  world.kill("a");
  world.settle();
  assertEquals(slotsOf(world, "u").length, 136);
  assertEquals(slotsOf(world, "a"), [3]);
  assertEquals(world.entry(4).isr, [{ id: "u", incarnation: 1 }]);
});

Deno.test("promote: a dead node that may hold the only copy is not dropped", () => {
  const world = cluster(["a", "b", "c"]);
  world.sync(["c"], (_, { owner }) => owner?.id === "b");
  world.sync(["b"], (_, { owner }) => owner?.id === "c");
  const before = world.ring;
  world.kill("b", "c");
  assertEquals(world.settle().ring, before);
});

Deno.test("promote: over random clusters, only to live members of the slot's own in-sync set", () => {
  for (let seed = 0; seed < 150; seed++) {
    const random = new Seeded(seed);
    const data = ["a", "b", "c"].slice(0, 1 + random.below(3));
    const standbys = ["s", "t", "u", "v"].slice(0, random.below(5));
    const world = cluster(data);
    for (const id of standbys) world.start(id, "standby");
    world.settle();
    for (const id of [...data, ...standbys]) world.sync([id], () => random.below(3) > 0);
    for (const { ref, role, unusable } of [...world.living.values()]) {
      const fate = random.below(6);
      if (fate < 2) world.kill(ref.id);
      if (fate === 2) world.living.get(ref.id)!.stuck = true;
      if (fate === 3) world.start(ref.id, role, 2);
      if (fate === 4) unusable.add(random.below(137));
    }
    for (let steps = 0;; steps++) {
      const before = world.ring;
      if (!world.step()) break;
      assert(steps < 50, `seed ${seed} does not come to rest`);
      for (const [slot, { owner, isr }] of world.ring.slots.entries()) {
        const old = before.slots[slot]!;
        const grown = isr.filter(({ id }) => !old.isr.some((ref) => ref.id === id));
        assertEquals(grown, [], `seed ${seed}: slot ${slot} got members from nowhere`);
        if (sameRef(owner, old.owner) || owner?.id === old.owner?.id) continue;
        const heir = world.living.get(owner!.id)!;
        assert(
          !heir.stuck && !heir.unusable.has(slot) && sameRef(heir.ref, owner),
          `seed ${seed}: slot ${slot}`,
        );
      }
    }
    for (const [slot, { owner, isr }] of world.ring.slots.entries()) {
      const good = isr.filter((ref) => {
        const living = world.living.get(ref.id);
        return living !== undefined && sameRef(living.ref, ref) && !living.stuck &&
          !living.unusable.has(slot);
      });
      if (good.length > 0) {
        assert(good.some((ref) => sameRef(ref, owner)), `seed ${seed}: slot ${slot} is not served`);
      }
    }
  }
});

Deno.test("verdict: no answer needs a second witness, or time; a new master gives owners time", () => {
  const failing: Observed = {
    metAlive: true,
    answer: undefined,
    failingSinceMs: 10_000,
    broken: false,
    suspectedMs: undefined,
  };
  const around = { nowMs: 10_300, gatheredMs: 14_000, promiseMs: 600, registered: true };
  assertEquals(lossOf(failing, around), undefined);
  assertEquals(lossOf({ ...failing, broken: true }, around), "dead");
  const suspected = { ...failing, suspectedMs: 9400 };
  assertEquals(lossOf(suspected, around), undefined, "the master itself may have been held up");
  assertEquals(lossOf(suspected, { ...around, nowMs: 10_400 }), "dead");
  assertEquals(lossOf({ ...failing, suspectedMs: 9200 }, { ...around, nowMs: 10_400 }), undefined);
  assertEquals(lossOf(failing, { ...around, registered: false }), "dead");
  assertEquals(lossOf(failing, { ...around, nowMs: 10_600 }), "dead");
  const unmet = { ...failing, metAlive: false, broken: true };
  assertEquals(lossOf(unmet, around), undefined);
  assertEquals(lossOf(unmet, { ...around, nowMs: 14_000 }), "dead");
  const well = { ...failing, failingSinceMs: undefined, suspectedMs: 10_200 };
  assertEquals(lossOf(well, { ...around, registered: false }), undefined);
  const answer = { ref: { id: "a", incarnation: 1 }, stuck: true, unusable: new Set<number>() };
  assertEquals(lossOf({ ...well, answer }, around), "stuck");
});
