/** Nodes that go while clients read and write, on a simulated cluster. */

import { assert, assertEquals } from "@std/assert";
import type { DataNode } from "../../core/cluster/data_node.ts";
import { differences } from "../sim/convergence.ts";
import { Stage } from "../sim/stories/stage.ts";

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
