/** The coordinator restored from an old copy: who notices, that nothing is written then, and the way out. */

import { assert, assertEquals, assertMatch, assertRejects } from "@std/assert";
import { RingKeeper } from "../../core/cluster/ring_keeper.ts";
import { SavedRing } from "../../core/cluster/saved_ring.ts";
import type { DataNode } from "../../core/cluster/data_node.ts";
import { KvError } from "../../core/platform/errors.ts";
import { createRing, ringFromJson } from "../../core/ring/document.ts";
import { contradiction, isBlank } from "../../core/ring/history.ts";
import type { Ring } from "../../core/ring/ring.ts";
import { admin, routing } from "../../core/rpc/methods.ts";
import { SimCoordinator } from "../sim/world/coordinator.ts";
import { SimDisk } from "../sim/world/disk.ts";
import { SimProcess } from "../sim/world/scheduler.ts";
import { Stage } from "../sim/stories/stage.ts";
import { MasterWorld, PATHS } from "./master_world.ts";
import { seeded, TestClock } from "./storage_world.ts";

const SETTINGS = { msn: 13, hash: "fnv1a32", levels: 1 } as const;

function ringOf(version: number, nonce: string, previousNonce: string): Ring {
  return { ...createRing(SETTINGS, "cluster", "m", nonce), version, previousNonce };
}

Deno.test("history: a later ring, another of the same version, and a predecessor with another nonce contradict", () => {
  const ring = ringOf(9, "n9", "n8");
  const { clusterId } = ring;
  const known = (version: number, nonce: string) => contradiction(ring, { clusterId, version, nonce });
  assertEquals([known(9, "n9"), known(8, "n8"), known(7, "x")], [undefined, undefined, undefined]);
  assertMatch(known(10, "x")!, /^ring 10, while the coordinator has ring 9$/);
  assertMatch(known(9, "x")!, /another ring 9/);
  assertMatch(known(8, "x")!, /another ring 8/);
  assertEquals(contradiction(ringOf(9, "n9", ""), { clusterId, version: 8, nonce: "x" }), undefined);
  assertMatch(
    contradiction(ring, { clusterId: "y", version: 2, nonce: "n" })!,
    /^ring 2 of cluster y, while/,
  );
});

Deno.test("history: a node does not take the successor of another ring than its own", () => {
  const rings = new RingKeeper();
  rings.offer(ringOf(4, "n4", "n3"));
  rings.offer(ringOf(5, "n5", "other"));
  assertEquals(rings.version, 4);
  rings.offer(ringOf(5, "n5", "n4"));
  rings.offer(ringOf(6, "n6", ""));
  assertEquals(rings.version, 6);
});

Deno.test("history: a node's saved ring is the last one, of its own cluster, or none", async () => {
  const clock = new TestClock();
  const disk = new SimDisk(clock, seeded(3));
  disk.makeFolder("node");
  const log = () => {};
  const saved = new SavedRing(clock, disk, "node", log);
  assertEquals(saved.load("cluster"), undefined);
  for (const version of [2, 3, 4]) saved.save(ringOf(version, `n${version}`, ""));
  await saved.idle();
  const crashed = disk.crash();
  assertEquals(new SavedRing(clock, crashed, "node", log).load("cluster"), ringOf(4, "n4", ""));
  assertEquals(new SavedRing(clock, crashed, "node", log).load("another"), undefined);
  crashed.flip("node/ring.json", 0, 1);
  assertEquals(new SavedRing(clock, crashed, "node", log).load("cluster"), undefined);
});

/** What the coordinator has at the path becomes what it had before. */
async function restore(coordinator: SimCoordinator, path: string, data: string): Promise<void> {
  const session = await coordinator.open();
  for (let done = false; !done;) {
    const { stat } = (await session.get(path))!;
    // Somebody may have written in between.
    done = await session.set(path, data, stat.version).then(() => true, () => false);
  }
  await session.close();
}

/** A master and a data node, and the ring as it was before a standby came and went. */
async function aged(seed: number): Promise<[MasterWorld, old: string]> {
  const world = new MasterWorld(seed);
  world.addMaster();
  world.addNode("a", "data");
  await world.until("a is listed", () => world.ring?.nodes.length === 1);
  const old = world.ensemble.truth.read(PATHS.ring)!.data;
  world.addNode("s", "standby");
  await world.until("s is listed", () => world.ring?.standbys.length === 1);
  await world.until("all know it", () => [...world.nodes.keys()].every((id) => knows(world, id)));
  return [world, old];
}

const knows = (world: MasterWorld, id: string) => world.program(id).rings.version === world.ring?.version;

const haltedOf = async (world: MasterWorld, number: number) => {
  const { transport } = world.program("a").world;
  return (await transport.call(`10.0.1.${number}:9666`, routing.status, {}, 1000)).halted;
};

for (const how of ["its master goes on", "another master takes over"] as const) {
  Deno.test(`history: the coordinator goes back in time, ${how}: nothing is written until it is put right`, async () => {
    const [world, old] = await aged(how.length);
    const latest = world.ring!;
    const { coordinator, world: { transport } } = world.program("a");
    if (how === "another master takes over") world.masters[0]!.kill("process");
    await world.wait(restore(coordinator, PATHS.ring, old));
    const number = how === "another master takes over" ? 2 : 1;
    if (number === 2) world.addMaster();
    world.nodes.get("s")!.kill("process");
    await world.runMs(8000);
    assertEquals(world.ring, ringFromJson(old));
    assertMatch(
      await world.wait(haltedOf(world, number)),
      /taken ring \d+, while the coordinator has ring \d+/,
    );

    const call = (from?: string) => {
      const request = { from: from === undefined ? undefined : { id: from, incarnation: 1 } };
      return transport.call(`10.0.1.${number}:9666`, admin.acceptRing, request, 3000);
    };
    await assertRejects(() => world.wait(call("s")), KvError, "none of the nodes");
    const { version } = await world.wait(call());
    assert(version > latest.version, `${version}`);
    assertEquals([world.ring?.slots, world.ring?.standbys.length], [latest.slots, 1]);
    await world.until("decisions go on: the dead standby goes", () => world.ring?.standbys.length === 0);
    assertEquals(await world.wait(haltedOf(world, number)), "");
    await assertRejects(() => world.wait(call()), KvError, "nothing is to be accepted");
  });
}

/** Its masters, and those of the nodes that are named, as they come from a power cut; what the coordinator had is changed. */
async function afterPowerCut(
  stage: Stage,
  change: (coordinator: SimCoordinator) => Promise<void>,
): Promise<void> {
  const { cluster } = stage;
  for (const machine of [...cluster.masters, ...cluster.nodes]) machine.kill("power");
  const operator = new SimProcess(cluster.scheduler, "operator");
  let changed = false;
  change(new SimCoordinator(cluster.ensemble, operator, () => {})).then(() => changed = true);
  await stage.until("the coordinator has something else", () => changed);
}

/** A cluster with a master, a data node, a standby that is in sync, and a value. */
async function standing(name: string): Promise<Stage> {
  const stage = new Stage({ name, about: "", masters: 1, standbys: 1, script: () => Promise.resolve() });
  stage.start("client1", "master1", "data1", "standby1");
  await stage.until(
    "all are in sync",
    () => stage.cluster.rings.ring?.slots.every(({ isr }) => isr.length === 2) ?? false,
  );
  await stage.put("b", "1");
  await stage.pass(1000);
  return stage;
}

const remove = async (coordinator: SimCoordinator) => {
  const session = await coordinator.open();
  await session.remove("/kv/ring");
  await session.close();
};

const accept = async (stage: Stage) => {
  let accepted: Ring | undefined;
  stage.cluster.clients[0]!.program!.client.admin.acceptRing(undefined).then((ring) => accepted = ring);
  await stage.until("the nodes' ring is accepted", () => accepted !== undefined);
  return accepted!;
};

Deno.test("history: the coordinator has lost everything: nothing is written, and the ring of the nodes can take its place", async () => {
  const stage = await standing("emptied");
  const { rings } = stage.cluster;
  const { clusterId, version } = rings.ring!;
  await afterPowerCut(stage, remove);
  rings.ring = undefined;
  stage.start("data1", "standby1", "master1");
  await stage.pass(10_000);
  assert(rings.ring !== undefined && isBlank(rings.ring), "nobody is taken in");
  const accepted = await accept(stage);
  assertEquals([accepted.clusterId, accepted.version > version], [clusterId, true]);
  assertEquals(await stage.get("b"), { kind: "value", value: "1", version: 2 });
});

Deno.test("history: a node of another cluster is not taken in, and stops nothing", async () => {
  const stage = await standing("stranger");
  const { cluster } = stage;
  const own = cluster.nodes.find(({ name }) => name === "standby1")!;
  own.kill("process");
  own.putDisk(cluster.foreignDisk(own.random.fork("foreign"), 99));
  own.start();
  await stage.until("it has given up", () => own.retired);
  assertEquals((await stage.put("b", "2")).kind, "written");
});

Deno.test("history: everything was stopped before the old copy was restored: the nodes' disks show it", async () => {
  const stage = new Stage({
    name: "restored",
    about: "",
    masters: 1,
    standbys: 1,
    script: () => Promise.resolve(),
  });
  const { cluster } = stage;
  const ring = () => cluster.rings.ring;
  stage.start("client1", "master1");
  await stage.until("master1 leads", () => ring() !== undefined);
  stage.start("data1");
  await stage.until("data1 owns all", () => ring()!.slots.every(({ owner }) => owner !== undefined));
  const old = cluster.ensemble.truth.read("/kv/ring")!.data;
  stage.start("standby1");
  await stage.until("standby1 is in sync", () => ring()!.slots.every(({ isr }) => isr.length === 2));
  await stage.put("b", "1");
  await stage.pass(1000);
  const latest = ring()!;
  for (const name of ["master1", "data1", "standby1"]) stage.machine(name).kill("power");
  const operator = new SimProcess(cluster.scheduler, "operator");
  const coordinator = new SimCoordinator(cluster.ensemble, operator, () => {});
  let restored = false;
  restore(coordinator, "/kv/ring", old).then(() => restored = true);
  await stage.until("the old copy is back", () => restored);
  stage.start("data1", "standby1", "master1");
  await stage.pass(10_000);
  assert(
    ring()!.version < latest.version,
    "the old ring may be written once, by a master whom nobody answers",
  );
  const { admin } = cluster.clients[0]!.program!.client;
  let accepted: Ring | undefined;
  admin.acceptRing(undefined).then((ring) => accepted = ring);
  await stage.until("the nodes' ring is accepted", () => accepted !== undefined);
  assertEquals(accepted!.slots.map(({ isr }) => isr.length), latest.slots.map(() => 2));
  assertEquals(await stage.get("b"), { kind: "value", value: "1", version: 2 });
  assert((stage.machine("data1").program as DataNode).self.incarnation === 2);
});
