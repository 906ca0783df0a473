/** An owner forced on slots by an operator: when it is refused, and what the ring becomes. */

import { assert, assertEquals, assertMatch, assertRejects } from "@std/assert";
import { forced, forceRefusal, toAskForForce } from "../../core/cluster/decide/force.ts";
import { force as carryOut } from "../../core/cluster/forcing.ts";
import { KvError, UnreachableError } from "../../core/platform/errors.ts";
import type { Transport } from "../../core/platform/ports.ts";
import { ringFromJson, ringToJson } from "../../core/ring/document.ts";
import { FORCED_MAX } from "../../core/ring/ring.ts";
import type { ForceOwnerRequest } from "../../proto/gen/kv/v1/admin.ts";
import type { GiveUpRequest } from "../../proto/gen/kv/v1/cluster.ts";
import { TestClock } from "./storage_world.ts";
import { cluster, slotsOf, type World } from "./reconcile_world.ts";

/** Data nodes a and b without copies, and a standby that has none of b's slots. */
function lonely(): World {
  const world = cluster(["a", "b"]);
  world.start("s", "standby");
  world.settle();
  world.kill("b");
  world.settle();
  return world;
}

function wish(world: World, to: string, ...slots: number[]): ForceOwnerRequest {
  const asked = slots.map((slot) => ({
    slot,
    epoch: world.entry(slot).epoch,
    isrSeq: world.entry(slot).isrSeq,
  }));
  const node = world.living.get(to)?.ref ?? { id: to, incarnation: 1 };
  return { slots: asked, node, by: "alice", ownerIsDead: true, acceptEmpty: false };
}

function refusal(world: World, request: ForceOwnerRequest): string {
  const { view, answers } = world;
  const asked = new Set(toAskForForce(view, request).map(({ id }) => id));
  const heard = new Map([...answers].filter(([id]) => asked.has(id)));
  return forceRefusal(view, heard, request) ?? "";
}

function force(world: World, request: ForceOwnerRequest): void {
  assertEquals(refusal(world, request), "");
  world.become({ ...world.ring, ...forced(world.view, request, 5), version: world.ring.version + 1 });
}

Deno.test("force: a slot without a live member goes to the node, in a new epoch and lineage, and that is recorded", () => {
  const world = lonely();
  const slots = slotsOf(world, "b");
  const before = world.entry(slots[0]!);
  force(world, wish(world, "s", ...slots));
  const { owner, epoch, isr, isrSeq, lineage } = world.entry(slots[0]!);
  assertEquals([owner?.id, epoch, isr.length, isrSeq], ["s", before.epoch + 1, 1, before.isrSeq + 1]);
  assertEquals(lineage, epoch);
  const { version } = world.ring;
  const event = { slots, from: { id: "b", incarnation: 1 }, to: { id: "s", incarnation: 1 } };
  assertEquals(world.ring.forced, [{ ...event, by: "alice", atMs: 5, ringVersion: version }]);
  assertEquals(ringFromJson(ringToJson(world.ring)), world.ring);
  world.settle();
  assert(!world.ring.nodes.some(({ ref }) => ref.id === "b"), "the dead node is needed no more");
});

Deno.test("force: the lineage stays when the owner is restarted, replaced, or hands over", () => {
  const world = lonely();
  const [slot] = slotsOf(world, "b");
  force(world, wish(world, "s", slot!));
  const { lineage, epoch } = world.entry(slot!);
  world.start("s", "standby", 2);
  world.settle();
  assertEquals([world.entry(slot!).lineage, world.entry(slot!).epoch], [lineage, epoch + 1]);
  world.sync(["a"], (each) => each === slot);
  world.kill("s");
  world.settle();
  assertEquals([world.entry(slot!).owner?.id, world.entry(slot!).lineage], ["a", lineage]);
});

Deno.test("force: refused while a good member may be alive, for a node that cannot take it, for what is old", () => {
  const world = lonely();
  const [slot] = slotsOf(world, "b");
  const right = wish(world, "s", slot!);
  assertMatch(refusal(world, wish(world, "s", slotsOf(world, "a")[0]!)), /has its owner, node a:1 .* alive/);
  assertMatch(refusal(world, wish(world, "x", slot!)), /node x, incarnation 1, is not in the ring/);
  assertMatch(refusal(world, wish(world, "b", slot!)), /does not answer/);
  assertMatch(refusal(world, { ...right, slots: [{ ...right.slots[0]!, epoch: 99 }] }), /changed meanwhile/);
  assertMatch(refusal(world, { ...right, slots: [{ slot: 137, epoch: 1, isrSeq: 1 }] }), /no slot 137/);
  world.living.get("s")!.stuck = true;
  assertMatch(refusal(world, right), /cannot write/);
  world.living.get("s")!.stuck = false;
  world.start("b", "data", 2);
  assertMatch(refusal(world, right), /started again/);
  world.kill("b");
  world.sync(["a"], (each) => each === slot);
  assertMatch(refusal(world, wish(world, "s", slot!)), /node a:1 .* has a complete copy/);
  world.living.get("a")!.unusable.add(slot!);
  assertEquals(refusal(world, wish(world, "s", slot!)), "");
});

Deno.test("force: a damaged copy goes back to its owner; one that is silent, but not lost, is waited for", () => {
  const world = cluster(["a"]);
  const right = wish(world, "a", 7);
  assertMatch(refusal(world, right), /alive and has a good copy/);
  world.living.get("a")!.unusable.add(7);
  force(world, right);
  assertEquals([world.entry(7).owner?.id, world.entry(7).lineage], ["a", 2]);
  const view = { ...lonely().view, known: new Map(), lost: new Map() };
  const [slot] = view.ring.slots.flatMap(({ owner }, slot) => owner?.id === "b" ? [slot] : []);
  const { epoch, isrSeq } = view.ring.slots[slot!]!;
  const asked = { ...right, slots: [{ slot: slot!, epoch, isrSeq }], node: { id: "s", incarnation: 1 } };
  const heard = new Map([["s", { ref: asked.node, stuck: false, unusable: new Set<number>() }]]);
  assertMatch(forceRefusal(view, heard, asked)!, /not known to be lost yet/);
});

Deno.test("force: of what was forced, the newest are remembered", () => {
  const world = cluster(["a"]);
  world.living.get("a")!.unusable.add(7);
  for (let i = 0; i < FORCED_MAX + 3; i++) force(world, wish(world, "a", 7));
  assertEquals(world.ring.forced?.length, FORCED_MAX);
  assertEquals(world.ring.forced?.at(-1)?.ringVersion, world.ring.version);
});

Deno.test("force: nobody gives up before all who own some of the slots answer", async () => {
  const world = cluster(["a", "b"]);
  world.start("s", "standby");
  world.settle();
  const slots = [slotsOf(world, "a")[0]!, slotsOf(world, "b")[0]!];
  for (const id of ["a", "b"]) slots.forEach((slot) => world.living.get(id)!.unusable.add(slot));
  const silent = new Set(["b:1"]);
  const givenUp: number[] = [];
  const call = (to: string, _: unknown, { slots }: GiveUpRequest) => {
    if (silent.has(to)) return Promise.reject(new UnreachableError("no answer"));
    givenUp.push(...slots);
    return Promise.resolve({});
  };
  const transport = { call } as unknown as Transport;
  const parts = { clock: new TestClock(), transport, ask: () => Promise.resolve(world.answers) };
  const request = { ...wish(world, "s", ...slots), acceptEmpty: true, ownerIsDead: false };
  await assertRejects(
    () => carryOut(world.view, request, parts),
    KvError,
    "node b:1 (id b), has not confirmed",
  );
  assertEquals(givenUp, []);
  await carryOut(world.view, { ...request, ownerIsDead: true }, parts);
  assertEquals(givenUp, [slots[0]]);
  silent.clear();
  const { slots: changed } = await carryOut(world.view, request, parts);
  assertEquals([givenUp.slice(1), changed?.[slots[1]!]?.owner?.id], [slots, "s"]);
});
