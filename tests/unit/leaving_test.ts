/** Nodes that go while clients read and write, on a simulated cluster. */

import { assert, assertEquals } from "@std/assert";
import type { DataNode } from "../../core/cluster/data_node.ts";
import { holdings, UNLISTED } from "../../core/cluster/leaving.ts";
import { pathsBelow } from "../../core/cluster/paths.ts";
import { KvError } from "../../core/platform/errors.ts";
import type { RingNode } from "../../core/ring/ring.ts";
import { admin } from "../../core/rpc/methods.ts";
import { differences } from "../sim/convergence.ts";
import type { Machine } from "../sim/machine.ts";
import { Stage } from "../sim/stories/stage.ts";
import { ringOf } from "./client_world.ts";

const KEY = "b";

Deno.test("leaving: a standby serves as a copy until another one has what it has", async () => {
  const story = { name: "a standby leaves", about: "", masters: 1, script: () => Promise.resolve() };
  const stage = new Stage(story);
  const { network, rings } = stage.cluster;
  const copies = () => stage.inSync(stage.cluster.slotOf(KEY));
  for (const name of ["client1", "master1", "data1"]) {
    stage.start(name);
    await stage.until(`${name} runs`, () => stage.machine(name).ready);
  }
  await stage.put(KEY, "1");
  stage.start("standby1");
  await stage.until("standby1 is in sync", () => copies().includes("standby1"));
  network.cut("data1", "standby2");
  stage.start("standby2");
  await stage.until("standby2 is listed", () => rings.ring!.standbys.length === 2);

  const leaver = stage.machine("standby1");
  leaver.retired = true;
  void (leaver.program as DataNode).leave();
  await stage.until("it is marked", () => rings.ring!.standbys.some(({ leaving }) => leaving));
  await stage.pass(5000);
  const before = stage.cluster.scheduler.nowMs;
  assertEquals((await stage.get(KEY)).kind, "value");
  await stage.put(KEY, "2");
  assertEquals(stage.cluster.scheduler.nowMs - before < 300, true, "the slot is served all the time");
  assertEquals(copies(), ["data1", "standby1"]);

  network.healAll();
  await stage.until("standby1 has gone", () => !leaver.alive && rings.ring!.standbys.length === 1);
  assertEquals(copies(), ["data1", "standby2"]);
});

Deno.test("leaving: one goes while two come: every key stays where it can be read, and all is in its place in the end", async () => {
  const story = { name: "comings and goings", about: "", dataNodes: 4, script: () => Promise.resolve() };
  const stage = new Stage(story);
  const { cluster } = stage;
  const start = async (...names: string[]) => {
    stage.start(...names);
    await stage.until("they are ready", () => names.every((name) => stage.machine(name).ready));
  };
  stage.start("client1", "master1", "master2");
  await start("data1");
  await start("data2", "standby1", "standby2");
  const keys = Array.from({ length: 30 }, (_, i) => `key${i}`);
  for (const key of keys) await stage.put(key, key);
  await stage.until("all is in its place", () => differences(cluster).length === 0);

  const leaver = stage.machine("data1");
  leaver.retired = true;
  stage.start("data3", "data4");
  void (leaver.program as DataNode).leave();
  const seats = () => cluster.rings.ring!.nodes.map(({ ref }) => cluster.machineOf(ref.id)?.name);
  const untilMs = cluster.scheduler.nowMs + 60_000;
  while (leaver.alive || seats().length < 3) {
    assert(cluster.scheduler.nowMs < untilMs, "it has not left");
    for (const key of keys) assertEquals((await stage.get(key)).kind, "value", key);
    for (const key of keys.slice(0, 5)) assertEquals((await stage.put(key, "again")).kind, "written", key);
  }
  await stage.until("all is in its place", () => differences(cluster).length === 0);
  assertEquals(seats().toSorted(), ["data2", "data3", "data4"]);
  for (const key of keys) assertEquals((await stage.get(key)).kind, "value", key);
  assertEquals(cluster.violations, []);
});

Deno.test("leaving: one that a master has dropped waits until owners have, one whose earlier process is listed does not", () => {
  const node = (id: string, incarnation: number, leaving = false) => (
    { ref: { id, incarnation }, address: `${id}:1`, label: 0, leaving }
  );
  const [self, other] = [node("self", 2), node("other", 1)];
  const by = (nodes: RingNode[], copy: RingNode) => {
    const ring = ringOf(1, nodes, () => other);
    const slots = ring.slots.map((slot) => ({ ...slot, isr: [...slot.isr, copy.ref] }));
    const { unlisted, released } = holdings({ ...ring, slots }, self.ref);
    return { unlisted, released };
  };
  assertEquals(by([other, self], self), { unlisted: false, released: false });
  assertEquals(by([other, node("self", 2, true)], self), { unlisted: false, released: true });
  assertEquals(by([other], self), { unlisted: false, released: true });
  for (const earlier of [node("self", 1), node("self", 1, true)]) {
    assertEquals(by([other, earlier], earlier), { unlisted: true, released: true });
    assertEquals(by([other, earlier], other), { unlisted: false, released: true }, "it has nothing");
  }
});

/** A data node with a key that was started again while there was no master: the ring lists the process before. */
async function unlisted() {
  const stage = new Stage({ name: "not listed", about: "", masters: 1, script: () => Promise.resolve() });
  for (const name of ["client1", "master1", "data1"]) {
    stage.start(name);
    await stage.until(`${name} runs`, () => stage.machine(name).ready);
  }
  await stage.put(KEY, "1");
  const machine = stage.machine("data1") as Machine<DataNode>;
  for (const each of [stage.machine("master1"), machine]) each.kill("process");
  const said: string[] = [];
  stage.cluster.listeners.said = (name, _level, text) => void (name === machine.name && said.push(text));
  machine.start();
  const { truth } = stage.cluster.ensemble;
  await stage.until("it is registered", () => {
    if (machine.program!.replica(0) === undefined) return false;
    const { address, self: { incarnation } } = machine.program!;
    const registration = truth.read(`${pathsBelow("/kv").dataNodes}/${address}`);
    return registration?.data.includes(`"incarnation":${incarnation}`) ?? false;
  });
  return { stage, machine, said };
}

Deno.test("leaving: one that is told to stop before it is listed again ends, and keeps what it has", async () => {
  const { stage, machine, said } = await unlisted();
  machine.retired = true;
  void machine.program!.leave();
  await stage.until("it has ended", () => !machine.alive, 5000);
  assertEquals(said.filter((text) => text.includes(UNLISTED)).length, 1);

  machine.retired = false;
  stage.start("master1", machine.name);
  await stage.until("it is back", () => machine.ready);
  assertEquals((await stage.get(KEY)).kind, "value");
});

Deno.test("leaving: one that is not listed again yet refuses to be drained, and is listed when there is a master", async () => {
  const { stage, machine } = await unlisted();
  const { self, address } = machine.program!;
  const { transport } = stage.cluster.clients[0]!.program!.world;
  let refusal: unknown;
  transport.call(address, admin.drain, { node: self }, 1000).catch((error) => refusal = error);
  await stage.until("it refuses", () => refusal !== undefined);
  assert(refusal instanceof KvError && refusal.code === "refused" && refusal.message.includes(UNLISTED));

  stage.start("master1");
  await stage.until("it is listed", () => machine.ready);
  assertEquals((await stage.get(KEY)).kind, "value");
});
