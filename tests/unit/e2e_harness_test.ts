/** The parts of the end-to-end harness that decide something: what is in sync, and which fault comes next. */

import { assert, assertEquals, assertMatch } from "@std/assert";
import { StatusReply } from "../../proto/gen/kv/v1/kv.ts";
import type { NodeRef } from "../../core/ring/ring.ts";
import type { Scene } from "../e2e/chaos/draw.ts";
import { drawFault } from "../e2e/chaos/fault.ts";
import { type Target, TARGET_KINDS, type TargetKind } from "../e2e/chaos/target.ts";
import { lackIn } from "../e2e/harness/health.ts";
import { Host, Network } from "../e2e/harness/network.ts";
import type { Group } from "../e2e/harness/world.ts";
import { SeededRandom } from "../sim/world/random.ts";

const [a, b]: [NodeRef, NodeRef] = [{ id: "a", incarnation: 1 }, { id: "b", incarnation: 3 }];

function ring(isr: readonly NodeRef[]): Parameters<typeof lackIn>[0] {
  const slot = { owner: a, epoch: 1, isr, isrSeq: 1 };
  return { version: 7, slots: [slot, slot] };
}

function status(node: NodeRef, served: readonly number[] = [], ringVersion = 7): StatusReply {
  return StatusReply.fromPartial({
    node,
    ringVersion,
    slots: served.map((slot) => ({ slot, serving: true })),
  });
}

Deno.test("in sync: every slot is served, and its copies belong to processes that live", () => {
  const owner = status(a, [0, 1]);
  assertEquals(lackIn(ring([a]), [owner], 1), undefined);
  assertEquals(lackIn(ring([a, b]), [owner, status(b)], 2), undefined);
  assertMatch(lackIn(ring([a]), [owner, status(b)], 2)!, /slot 0 is held by 1 of 2/);
  assertMatch(lackIn(ring([a, b]), [owner, status({ ...b, incarnation: 4 })], 2)!, /held by 1 of 2/);
  assertMatch(lackIn(ring([a, b]), [status(b)], 1)!, /slot 0 is not served: its owner does not live/);
  assertMatch(lackIn(ring([a]), [status(a, [0])], 1)!, /slot 1 is not served/);
  assertMatch(lackIn(ring([a]), [status(a, [0, 1], 8)], 1)!, /there is 8/);
});

function target(kind: TargetKind, name: string): Target {
  const group: Group = kind === "zookeeper" ? kind : kind.endsWith("master") ? "masters" : "copies";
  const host = new Host(new Network("none"), name, "");
  const [signal, kill, startAgain] = [() => {}, () => Promise.resolve(), () => {}];
  return { kind, group, name, host, server: undefined, signal, kill, startAgain };
}

const KINDS = Object.keys(TARGET_KINDS) as TargetKind[];
const TARGETS = KINDS.flatMap((kind) => [target(kind, `${kind} 1`), target(kind, `${kind} 2`)]);

function scene(busy: readonly Group[], retired: string | undefined = "data 9", data = 3): Scene {
  return { targets: TARGETS, busy: new Set(busy), data, retired };
}

Deno.test("faults: the same seed draws the same, and all kinds come", () => {
  const draws = (seed: string) => {
    const random = new SeededRandom(seed);
    return Array.from({ length: 400 }, () => drawFault(random, scene([]))!);
  };
  const descriptions = (seed: string) => draws(seed).map(({ description }) => description);
  assertEquals(descriptions("s"), descriptions("s"));
  // Joins, drains and returns are of data nodes alone.
  assertEquals(new Set(draws("s").map(({ kind }) => kind)).size, 5 * KINDS.length + 3);
});

Deno.test("faults: the cluster grows and shrinks within bounds, and only who has left comes back", () => {
  const random = new SeededRandom("u");
  const kinds = (scene: Scene) => {
    const drawn = new Set(Array.from({ length: 400 }, () => drawFault(random, scene)!.kind));
    return ["join data", "return data", "drain data"].filter((kind) => drawn.has(kind));
  };
  assertEquals(kinds(scene([], "data 9", 2)), ["join data", "return data"]);
  assertEquals(kinds({ ...scene([]), retired: undefined }), ["join data", "drain data"]);
  assertEquals(kinds(scene([], "data 9", 4)), ["drain data"]);
});

Deno.test("faults: a group that has not recovered is left alone, also as the other end of a cut", () => {
  const random = new SeededRandom("t");
  for (let i = 0; i < 400; i++) {
    const fault = drawFault(random, scene(["copies"]))!;
    assert(!fault.groups.has("copies"), fault.description);
    assert(!/data|standby/.test(fault.description), fault.description);
  }
  assertEquals(drawFault(random, scene(["copies", "masters", "zookeeper"])), undefined);
});
