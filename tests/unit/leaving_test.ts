/** Nodes that go while clients read and write, on a simulated cluster. */

import { assertEquals } from "@std/assert";
import type { DataNode } from "../../core/cluster/data_node.ts";
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
