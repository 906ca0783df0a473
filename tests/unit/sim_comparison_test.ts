/** Copies that silently become different ones, in a simulated cluster. */

import { assert, assertEquals } from "@std/assert";
import type { ServerStatus } from "../../core/client/api.ts";
import type { MismatchStatus } from "../../proto/gen/kv/v1/kv.ts";
import { spoil } from "../sim/spoil.ts";
import { Stage } from "../sim/stories/stage.ts";

const KEY = "b";

/** What the checkers say of a copy that was made to differ, before it was given up. */
const EXPECTED = /not the record that another log has there|makes another state than in another copy/;

/** A cluster of one data node and standbys in sync, and what its nodes say above the level info. */
async function standing(standbys: number): Promise<{ stage: Stage; said: string[] }> {
  const stage = new Stage({ name: "comparison", about: "", masters: 1, standbys, script: async () => {} });
  const { cluster } = stage;
  const said: string[] = [];
  cluster.listeners.said = (machine, level, text) => {
    if (level === "error") said.push(`${machine}: ${text}`);
  };
  for (const machine of [...cluster.clients, ...cluster.masters, ...cluster.dataNodes]) {
    machine.start();
    await stage.until(`${machine.name} runs`, () => machine.ready);
  }
  await stage.put(KEY, "1");
  for (const machine of cluster.standbys) machine.start();
  await inSync(stage);
  return { stage, said };
}

async function inSync(stage: Stage): Promise<void> {
  const { cluster } = stage;
  const slot = cluster.slotOf(KEY);
  await stage.until(
    "all copies are in sync",
    () => stage.inSync(slot).length === 1 + cluster.standbys.length,
  );
}

/** As people are told of them. */
async function mismatches(stage: Stage): Promise<MismatchStatus[]> {
  let servers: ServerStatus[] | undefined;
  void stage.cluster.clients[0]!.program!.client.status().then((told) => servers = told);
  await stage.until("the status has come", () => servers !== undefined);
  return servers!.flatMap(({ reply }) => reply!.mismatches);
}

function endOf(stage: Stage, said: readonly string[]): void {
  assertEquals(stage.cluster.violations.filter((text) => !EXPECTED.test(text)), []);
  assert(said.some((text) => /copies of a slot are not the same/.test(text)), said.join("\n"));
}

Deno.test("comparison: copies that are the same stay, while writes go on", async () => {
  const { stage, said } = await standing(2);
  for (let i = 0; i < 60; i++) {
    await stage.put(`${KEY}${i % 5}`, `${i}`);
    await stage.pass(300);
  }
  assertEquals([said, stage.cluster.violations], [[], []]);
  assert(stage.cluster.counts.get("copies compared")! > 13);
});

Deno.test("comparison: of two copies the follower's goes, and is fetched from the owner", async () => {
  const { stage, said } = await standing(1);
  const { cluster } = stage;
  const owner = stage.ownerOf(KEY);
  spoil(cluster, ["standby1"], "2", "X");
  await stage.put(KEY, "2");
  await stage.until("the difference is found", () => said.some((text) => text.startsWith("standby1: slot")));
  const slot = cluster.slotOf(KEY);
  await stage.until("the copy has left the in-sync set", () => stage.inSync(slot).length === 1);
  await inSync(stage);
  assertEquals((await mismatches(stage)).map(({ slot, wrong }) => [slot, wrong.length]), [[slot, 1]]);
  owner.kill("process");
  const { kind, value } = await stage.get(KEY) as { kind: string; value: string };
  assertEquals([kind, value, stage.ownerOf(KEY).name], ["value", "2", "standby1"]);
  endOf(stage, said);
});

Deno.test("comparison: of three copies the one that differs goes, be it the owner's", async () => {
  const { stage, said } = await standing(2);
  const owner = stage.ownerOf(KEY);
  spoil(stage.cluster, ["standby1", "standby2"], "2", "X");
  await stage.put(KEY, "2");
  await stage.until("another owns the slot", () => stage.ownerOf(KEY) !== owner);
  await inSync(stage);
  const { value } = await stage.get(KEY) as { value: string };
  assertEquals(value, "X");
  assert(said.some((text) => text.startsWith(`${owner.name}: slot`)), said.join("\n"));
  endOf(stage, said);
});
