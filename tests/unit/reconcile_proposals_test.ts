/** What owners propose, and when it is refused. */

import { assert, assertEquals } from "@std/assert";
import { applyProposals } from "../../core/cluster/decide/proposals.ts";
import type { NodeRef } from "../../core/ring/ring.ts";
import { type Proposal, ProposalKind } from "../../proto/gen/kv/v1/cluster.ts";
import { cluster, type World } from "./reconcile_world.ts";
import { Seeded } from "./seeded.ts";

const { ADD, REMOVE, HAND_OVER } = ProposalKind;

function proposal(world: World, slot: number, kind: ProposalKind, id: string): Proposal {
  const { epoch, isrSeq } = world.entry(slot);
  return { slot, epoch, isrSeq, kind, node: world.living.get(id)?.ref ?? { id, incarnation: 1 } };
}

/** How many were refused. */
function propose(world: World, owner: string | NodeRef, ...proposals: Proposal[]): number {
  const { ring, view, answers } = world;
  const registered = [...view.data, ...view.standbys];
  const ref = typeof owner === "string"
    ? world.living.get(owner)?.ref ?? { id: owner, incarnation: 1 }
    : owner;
  const { change, refused } = applyProposals({ ring, registered, answers }, [{ owner: ref, proposals }]);
  if (change !== undefined) world.become({ ...ring, ...change, version: ring.version + 1 });
  return refused.length;
}

function withStandby(): World {
  const world = cluster(["a", "b"]);
  world.start("s", "standby");
  return world.settle();
}

const members = (world: World, slot: number): string[] => world.entry(slot).isr.map(({ id }) => id);

Deno.test("proposals: a follower is added, removed, and what comes late changes nothing", () => {
  const world = withStandby();
  const add = proposal(world, 3, ADD, "s");
  assertEquals(propose(world, "a", add), 0);
  assertEquals([members(world, 3), world.entry(3).isrSeq, world.entry(3).epoch], [["a", "s"], 2, 1]);
  assertEquals(propose(world, "a", add), 1);
  assertEquals(propose(world, "a", proposal(world, 3, ADD, "s")), 1);
  const remove = proposal(world, 3, REMOVE, "s");
  assertEquals(propose(world, "a", remove), 0);
  assertEquals(members(world, 3), ["a"]);
  assertEquals(propose(world, "a", remove, add), 2);
});

Deno.test("proposals: only the owner may, and it must answer and be able to write", () => {
  const world = withStandby();
  assertEquals(propose(world, "b", proposal(world, 3, ADD, "s")), 1);
  assertEquals(propose(world, { id: "a", incarnation: 2 }, proposal(world, 3, ADD, "s")), 1);
  assertEquals(propose(world, "a", proposal(world, 3, REMOVE, "a")), 1);
  assertEquals(propose(world, "a", { ...proposal(world, 3, ADD, "s"), slot: 9999 }), 1);
  world.living.get("a")!.stuck = true;
  assertEquals(propose(world, "a", proposal(world, 3, ADD, "s")), 1);
  const late = proposal(world, 3, ADD, "s");
  world.kill("a");
  assertEquals(propose(world, "a", late), 1);
});

Deno.test("proposals: nobody is added who is dead, restarted, not registered, not listed, or whose copy is bad", () => {
  const world = withStandby();
  const add = proposal(world, 3, ADD, "s");
  const standby = world.living.get("s")!;
  standby.unusable.add(3);
  assertEquals(propose(world, "a", add), 1);
  standby.unusable.clear();
  standby.registered = false;
  assertEquals(propose(world, "a", add), 1);
  world.start("s", "standby", 2);
  assertEquals(propose(world, "a", add), 1);
  assertEquals(propose(world, "a", proposal(world, 3, ADD, "s")), 1);
  world.settle();
  assertEquals(propose(world, "a", proposal(world, 3, ADD, "s")), 0);
  assertEquals(propose(world, "a", proposal(world, 4, ADD, "x")), 1);
});

Deno.test("proposals: a hand-over goes to a data node in sync; the present owner stays in sync", () => {
  const world = withStandby();
  assertEquals(propose(world, "a", proposal(world, 3, HAND_OVER, "b")), 1);
  assertEquals(propose(world, "a", proposal(world, 3, ADD, "b"), proposal(world, 4, ADD, "s")), 0);
  assertEquals(propose(world, "a", proposal(world, 4, HAND_OVER, "s")), 1);
  const over = proposal(world, 3, HAND_OVER, "b");
  assertEquals(propose(world, "a", over), 0);
  assertEquals([world.entry(3).owner?.id, members(world, 3), world.entry(3).epoch], ["b", ["a", "b"], 2]);
  assertEquals(propose(world, "a", over), 1);
  assertEquals(propose(world, "b", proposal(world, 3, REMOVE, "a")), 0);
  assertEquals(members(world, 3), ["b"]);
});

Deno.test("proposals: over random ones, right and wrong, the ring holds its invariants and moves only to members", () => {
  for (let seed = 0; seed < 60; seed++) {
    const random = new Seeded(seed);
    const world = withStandby();
    world.start("t", "standby");
    world.settle();
    let before = world.ring;
    for (let i = 0; i < 60; i++) {
      const slot = random.below(4);
      const kind = random.pick([ADD, ADD, REMOVE, HAND_OVER]);
      const right = proposal(world, slot, kind, random.pick(["a", "b", "s", "t", "x"]));
      const wrong = {
        ...right,
        epoch: right.epoch + random.below(2),
        isrSeq: right.isrSeq - random.below(2),
      };
      const { owner } = world.entry(slot);
      if (random.below(20) === 0) world.start("t", "standby", world.living.get("t")!.ref.incarnation + 1);
      const accepted = propose(world, random.below(8) > 0 ? owner! : "b", wrong) === 0;
      if (wrong.epoch !== right.epoch || wrong.isrSeq !== right.isrSeq) assert(!accepted, `seed ${seed}`);
      const now = world.entry(slot).owner!;
      assert(before.slots[slot]!.isr.some(({ id }) => id === now.id), `seed ${seed}: slot ${slot}`);
      before = world.ring;
    }
  }
});
