/** Real processes, each on a network host of its own: what cuts do, and that they heal. */

import { assert, assertEquals } from "@std/assert";
import { openObserver } from "./harness/client.ts";
import { Cluster } from "./harness/cluster.ts";
import { eventually } from "./harness/eventually.ts";
import { TempFolder } from "./harness/folder.ts";
import { activeMasters, inSync, lackOfSync, statusOf } from "./harness/health.ts";
import { networkTest } from "./harness/inside.ts";
import { runKv } from "./harness/process.ts";
import { ZooKeepers } from "./harness/zookeepers.ts";

networkTest("processes that are cut off", import.meta.url, async (network, t) => {
  await using folder = await TempFolder.make();
  await using ensemble = await ZooKeepers.start(network, folder.path);
  await using cluster = await Cluster.start({ zk: ensemble.addresses, folder: folder.path, network });
  using observer = openObserver(cluster.masterAddresses);
  const [first, second] = [cluster.masters[0]!, cluster.masters[1]!];
  const well = () => inSync(observer, cluster.nodes, 1);
  await well();

  await t.step(
    "the slots of a data node without network are unavailable, and come back with it",
    async () => {
      const victim = cluster.dataNodes[1]!;
      const get = ["get", "b", "--timeout-ms", "1000", "--addr", cluster.masterAddresses.join(",")];
      victim.host!.cut();
      assertEquals((await runKv(get)).code, 3);
      assertEquals(await statusOf(observer, victim), undefined);
      assert((await lackOfSync(observer, cluster.nodes, 1))?.includes("data1"));
      victim.host!.join();
      await eventually("served again", async () => (await runKv(get)).code === 1 || undefined);
      await well();
    },
  );

  await t.step("the active master cut off from ZooKeeper gives way to the other", async () => {
    assertEquals(await activeMasters(observer, cluster.masters), [first]);
    for (const { host } of ensemble.members) first.host!.block(host);
    await second.process.ready("master");
    for (const { host } of ensemble.members) first.host!.unblock(host);
    await eventually(
      "one master is active",
      async () => (await activeMasters(observer, cluster.masters)).length === 1 || undefined,
    );
    await observer.client.put("after", "the change of masters");
  });

  await t.step("a one-way cut between two hosts leaves the others as they are", async () => {
    const [from, to] = [cluster.dataNodes[0]!, ensemble.members[0]!];
    from.host!.block(to.host);
    await observer.client.put("c", "on the first data node");
    await to.serving();
    from.host!.unblock(to.host);
    await well();
  });

  await t.step("a killed ZooKeeper server is not missed, and belongs to the quorum again", async () => {
    const victim = ensemble.members[2]!;
    await victim.server.stop("SIGKILL");
    await observer.client.put("without", "one of three");
    await ensemble.startServer(victim);
    await victim.serving();
    await well();
  });
});
