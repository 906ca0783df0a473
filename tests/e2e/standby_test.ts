/** A standby that comes to a cluster with data, under a load of writes, and then has to stand in for a data node. */

import { assert, assertEquals } from "@std/assert";
import { openObserver } from "./harness/client.ts";
import { Cluster } from "./harness/cluster.ts";
import { Ensemble } from "./harness/ensemble.ts";
import { TempFolder } from "./harness/folder.ts";
import { inSync } from "./harness/health.ts";
import { NumberedKeys } from "./harness/numbered_keys.ts";
import { SteadyLoad, writesTo } from "./harness/steady_load.ts";

const KEYS = 100_000;
const PER_SECOND = 500;
const SOME = 300;

Deno.test("a standby added to a cluster with data", async (t) => {
  await using folder = await TempFolder.make();
  await using ensemble = await Ensemble.start(folder.path, 1);
  await using cluster = await Cluster.start({ zk: ensemble.addresses, folder: folder.path, data: 2 });
  using observer = openObserver(cluster.masterAddresses);
  const keys = new NumberedKeys(observer.client);
  await keys.fill(KEYS);
  await using writes = new SteadyLoad(PER_SECOND, writesTo(keys));
  await writes.more(SOME);

  await t.step("becomes in sync under a load of writes, of which none fails", async () => {
    await cluster.addStandby();
    await inSync(observer, cluster.nodes, 2);
    await writes.more(SOME);
    assertEquals(writes.errors, []);
  });

  await t.step("kill -9 of a data node: it takes its place, and the writes go on", async () => {
    await cluster.dataNodes[1]!.process.kill();
    await cluster.standbys[0]!.process.ready("data");
    await writes.more(SOME);
    await writes.stop();
  });

  await t.step("every key is there, those from before the standby too", async () => {
    assert(keys.size > KEYS);
    assertEquals(await keys.wrong(), { count: 0, examples: [] });
  });
});
