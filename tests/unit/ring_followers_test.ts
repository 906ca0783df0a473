/** Who copies a slot: the pure functions of the ring, against what they promise. */

import { assert, assertEquals } from "@std/assert";
import { createRing } from "../../core/ring/document.ts";
import { followersOf, placementOf, superfluousOf } from "../../core/ring/followers.ts";
import type { NodeRef, Ring, RingNode, SlotEntry } from "../../core/ring/ring.ts";

const ref = (id: string): NodeRef => ({ id, incarnation: 1 });
const node = (id: string, label: number, leaving = false): RingNode => (
  { ref: ref(id), address: `${id}:1`, label, leaving }
);

/** Nodes a, b with the labels 0 and 68, the given standbys, and every slot owned by a. */
function ringOf(standbys: readonly string[], changes: Partial<Ring> = {}): Ring {
  const empty = createRing({ msn: 137, hash: "fnv1a32", levels: 2 }, "cluster", "writer", "nonce");
  const entry: SlotEntry = { owner: ref("a"), epoch: 1, isr: [ref("a")], isrSeq: 1 };
  return {
    ...empty,
    nodes: [node("a", 0), node("b", 68)],
    standbys: standbys.map((id) => ({ ref: ref(id), address: `${id}:1`, leaving: false })),
    slots: empty.slots.map(() => entry),
    ...changes,
  };
}

const ids = (refs: readonly NodeRef[]): string[] => refs.map(({ id }) => id).sort();

Deno.test("followers: all standbys, and the node that the rule wants, copy a slot", () => {
  const ring = ringOf(["s", "t"]);
  const placement = placementOf(ring);
  assertEquals(ids(followersOf(ring, 0, placement)), ["s", "t"]);
  assertEquals(ids(followersOf(ring, 68, placement)), ["b", "s", "t"]);
});

Deno.test("followers: a node that leaves is wanted nowhere, and its slots go to the others", () => {
  const ring = ringOf([], { nodes: [node("a", 0, true), node("b", 68)] });
  const placement = placementOf(ring);
  assert(placement.wanted.every((wanted) => wanted?.ref.id === "b"));
  assertEquals(ids(followersOf(ring, 0, placement)), ["b"]);
});

Deno.test("followers: a standby that leaves is chosen for nothing, and followed while it is in sync", () => {
  const [s, t] = ringOf(["s", "t"]).standbys;
  const ring = ringOf([], { standbys: [{ ...s!, leaving: true }, t!], replicas: 1 });
  assertEquals(ids(followersOf(ring, 0, placementOf(ring))), ["t"]);
  const inSync = { ...ring.slots[0]!, isr: [ref("a"), ref("s")] };
  const synced = { ...ring, slots: ring.slots.map(() => inSync) };
  const placement = placementOf(synced);
  assertEquals(ids(followersOf(synced, 0, placement)), ["s", "t"]);
  assertEquals(ids(superfluousOf(synced, 0, placement, synced.slots[0]!.isr)), ["s"]);
});

Deno.test("followers: with replicas, each slot has as many standbys, spread evenly, and few move when one comes", () => {
  const names = ["p", "q", "r", "s", "t"];
  const before = placementOf(ringOf(names, { replicas: 2 })).standbys;
  const load = new Map<string, number>();
  for (const chosen of before) {
    assertEquals(chosen.length, 2);
    for (const { id } of chosen) load.set(id, (load.get(id) ?? 0) + 1);
  }
  for (const name of names) {
    assert(load.get(name)! > 35 && load.get(name)! < 75, `${name}: ${load.get(name)}`);
  }
  const after = placementOf(ringOf([...names, "u"], { replicas: 2 })).standbys;
  for (const [slot, chosen] of after.entries()) {
    const added = ids(chosen).filter((id) => !ids(before[slot]!).includes(id));
    assert(added.every((id) => id === "u"), `slot ${slot} got ${added}`);
  }
});

Deno.test("followers: a standby that owns a slot is none of its copies: another is chosen in its place", () => {
  const owner = { owner: ref("s"), epoch: 2, isr: [ref("s")], isrSeq: 2 };
  const ring = ringOf(["s", "t"], { replicas: 1 });
  const slots = ring.slots.map(() => owner);
  for (const chosen of placementOf({ ...ring, slots }).standbys) assertEquals(ids(chosen), ["t"]);
});

Deno.test("followers: a former owner in sync is of no more use, a standby and the wanted owner are", () => {
  const isr = ["a", "b", "s", "old"].map(ref);
  const entry: SlotEntry = { owner: ref("a"), epoch: 4, isr, isrSeq: 9 };
  const ring = ringOf(["s"]);
  const with68 = { ...ring, slots: ring.slots.with(68, entry) };
  assertEquals(ids(superfluousOf(with68, 68, placementOf(with68), with68.slots[68]!.isr)), ["old"]);
});
