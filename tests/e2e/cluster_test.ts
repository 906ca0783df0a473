/** Two masters and three data nodes as processes on a ZooKeeper ensemble: labels, placement, and what survives a crash. */

import { assertEquals, assertMatch } from "@std/assert";
import { fnv1a32 } from "../../core/ring/hash.ts";
import { openClient } from "./harness/client.ts";
import { Cluster } from "./harness/cluster.ts";
import { Ensemble } from "./harness/ensemble.ts";
import { TempFolder } from "./harness/folder.ts";
import { NumberedKeys } from "./harness/numbered_keys.ts";
import { runKv } from "./harness/process.ts";

const KEYS = 100_000;
const LABELS = [0, 68, 102];
/** Keys and their slots, worked out by hand. */
const SLOTS = { c: 34, e: 2, b: 85, ds: 105, ca: 130, os: 134 };

/** The label at the smallest distance around the ring of 137 seats, the smaller label of two that are equally far. */
function ownerLabel(slot: number): number {
  const distance = (label: number) => Math.min(Math.abs(slot - label), 137 - Math.abs(slot - label));
  return LABELS.toSorted((a, b) => distance(a) - distance(b) || a - b)[0]!;
}

Deno.test("two masters and three data nodes on ZooKeeper", async (t) => {
  await using folder = await TempFolder.make();
  await using ensemble = await Ensemble.start(folder.path);
  await using cluster = await Cluster.start({ zk: ensemble.addresses, folder: folder.path });
  using client = openClient(cluster.masterAddresses);
  const keys = new NumberedKeys(client);
  const addr = cluster.masterAddresses.join(",");

  await t.step("the labels stand as integers in the znodes", async () => {
    const labels = [];
    for (const { address } of cluster.dataNodes) {
      labels.push(JSON.parse(await ensemble.read(`${cluster.root}/data/${address}`)).label);
    }
    assertEquals(labels, LABELS);
  });

  await t.step("keys lie at the label nearest to their slot", async () => {
    await client.putMany(Object.keys(SLOTS).map((key) => [key, key]));
    const lines = (await runKv(["dump", "--output", "json", "--addr", addr])).out.trimEnd().split("\n");
    const placed = lines.map((line) => JSON.parse(line)).flatMap(({ label, entries }) =>
      entries.map(({ key, slot }: { key: string; slot: number }) => ({ key, slot, label }))
    );
    const expected = Object.entries(SLOTS).map(([key, slot]) => ({ key, slot, label: ownerLabel(slot) }));
    const byKey = (a: { key: string }, b: { key: string }) => a.key < b.key ? -1 : 1;
    assertEquals(placed.toSorted(byKey), expected.toSorted(byKey));
  });

  await t.step(`${KEYS} keys are there after a SIGKILL of all processes`, async () => {
    await keys.fill(KEYS);
    const servers = [...cluster.masters, ...cluster.dataNodes];
    await Promise.all(servers.map(({ process }) => process.kill()));
    await cluster.restart(...servers);
    assertEquals(await keys.wrong(), { count: 0, examples: [] });
  });

  await t.step("the slots of a killed data node are unavailable, the others serve", async () => {
    const victim = cluster.dataNodes[1]!;
    await victim.process.kill();
    const { code, out, err } = await runKv(["get", "b", "--timeout-ms", "2000", "--addr", addr]);
    assertEquals({ code, out }, { code: 3, out: "" }, err);
    for (const part of ["slot 85", "label 68", victim.address]) assertMatch(err, new RegExp(part));
    assertEquals((await runKv(["get", "c", "--addr", addr])).out.trim(), "c");
  });

  await t.step("and are back when it is started again, at another address", async () => {
    const victim = cluster.dataNodes[1]!;
    const before = victim.address;
    await cluster.restart(victim);
    assertEquals(victim.address === before, false);
    assertEquals((await runKv(["get", "b", "--addr", addr])).out.trim(), "b");
    assertEquals(await keys.wrong(), { count: 0, examples: [] });
  });
});

Deno.test("the slots worked out by hand are those of the hash", () => {
  const computed = Object.keys(SLOTS).map((key) => [key, fnv1a32(new TextEncoder().encode(key)) % 137]);
  assertEquals(Object.fromEntries(computed), SLOTS);
});
