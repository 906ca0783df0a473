/**
 * Data nodes that join, leave, die and come back while `kv bench check` writes and reads, and others read keys that were
 * there before. Prints how long the longest operation took.
 */

import { assertEquals } from "@std/assert";
import { openObserver } from "./harness/client.ts";
import { Cluster } from "./harness/cluster.ts";
import { Ensemble } from "./harness/ensemble.ts";
import { eventually } from "./harness/eventually.ts";
import { TempFolder } from "./harness/folder.ts";
import { inSync, slotToMove } from "./harness/health.ts";
import { NumberedKeys } from "./harness/numbered_keys.ts";
import { KvProcess, runKv } from "./harness/process.ts";
import { readsOf, SteadyLoad } from "./harness/steady_load.ts";

/** More of them, as in KV_TEST_KEYS=200000, are for measuring. */
const KEYS = Number(Deno.env.get("KV_TEST_KEYS") ?? 20_000);
const CHECKED_PER_SECOND = 500;
const READ_PER_SECOND = 200;
const LOOK_MS = 2;

Deno.test("data nodes come and go under load", async (t) => {
  await using folder = await TempFolder.make();
  await using ensemble = await Ensemble.start(folder.path, 1);
  const options = { zk: ensemble.addresses, folder: folder.path, data: 2, standbys: 2 };
  await using cluster = await Cluster.start(options);
  using observer = openObserver(cluster.masterAddresses);
  const addr = cluster.masterAddresses.join(",");
  const [first, second] = [cluster.dataNodes[0]!, cluster.dataNodes[1]!];
  const keys = new NumberedKeys(observer.client);
  await inSync(observer, cluster.nodes, 3);
  await keys.fill(KEYS);

  /** Takes the step under load: no promise is broken, and every key that is there is found. */
  const step = (name: string, change: () => Promise<void>) =>
    t.step(name, async () => {
      const load = { addr, rate: CHECKED_PER_SECOND, seconds: 600, output: "json" };
      const flags = Object.entries(load).flatMap(([name, value]) => [`--${name}`, String(value)]);
      await using check = new KvProcess(["bench", "check", ...flags]);
      await using reads = new SteadyLoad(READ_PER_SECOND, readsOf(keys));
      await check.errorLine(/^2 s: /);
      await change();
      await reads.stop();
      check.signal("SIGINT");
      assertEquals(await check.ended(), 0, `${check.out}\n${check.err}`);
      const { verdict, linearizable, lost, operations, longestOperationMs } = JSON.parse(check.out);
      assertEquals({ verdict, linearizable, lost }, { verdict: "passed", linearizable: "yes", lost: 0 });
      assertEquals(reads.errors, []);
      const figures = [`${operations} operations`, `the longest ${Math.round(longestOperationMs)} ms`];
      const others = [
        `${reads.answered} reads of other keys`,
        `the longest ${Math.round(reads.longestMs)} ms`,
      ];
      console.log([name, ...figures, ...others].join(", "));
    });

  await step("a third and a fourth data node join at once", async () => {
    await Promise.all([cluster.addData(), cluster.addData()]);
    await inSync(observer, cluster.nodes, 3);
  });

  await step("the first is drained", async () => {
    const { code, out, err } = await runKv(["admin", "drain", first.address, "--addr", addr]);
    assertEquals({ code, out }, { code: 0, out: `drained ${first.address}\n` }, err);
    assertEquals(await first.process.ended(), 0, first.process.err);
    cluster.retire(first);
    await inSync(observer, cluster.nodes, 3);
  });

  await step("the second is killed while another one is joining", async () => {
    const before = (await observer.client.ring()).nodes.length;
    cluster.startData();
    await eventually("a slot is to be handed over", async () => {
      const ring = await observer.client.ring();
      return ring.nodes.length > before ? slotToMove(ring) : undefined;
    }, LOOK_MS);
    await second.process.kill();
    // A standby takes its place.
    await inSync(observer, cluster.nodes.filter((node) => node !== second), 2);
  });

  await step("it joins again on its old folder", async () => {
    await cluster.restart(second);
    await inSync(observer, cluster.nodes, 2);
  });

  await t.step("every key is there", async () => {
    assertEquals(await keys.wrong(), { count: 0, examples: [] });
  });
});
