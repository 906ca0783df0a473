/** Masters and the ensemble fail under load: clients notice nothing. */

import { assert, assertEquals } from "@std/assert";
import { openClient } from "./harness/client.ts";
import { Cluster } from "./harness/cluster.ts";
import { Ensemble } from "./harness/ensemble.ts";
import { eventually } from "./harness/eventually.ts";
import { TempFolder } from "./harness/folder.ts";
import { Load } from "./harness/load.ts";
import { KvProcess, runKv } from "./harness/process.ts";

const OUTAGE_MS = 20_000;
const SOME = 500;

Deno.test("under load", async (t) => {
  await using folder = await TempFolder.make();
  await using ensemble = await Ensemble.start(folder.path);
  await using cluster = await Cluster.start({ zk: ensemble.addresses, folder: folder.path });
  const [first, second] = [cluster.masters[0]!, cluster.masters[1]!];

  await t.step("kill -9 of the active master: no operation fails, the other becomes active", async () => {
    using client = openClient(cluster.masterAddresses);
    await using load = new Load(client);
    await load.more(SOME);
    assertEquals(second.process.out, `waiting master ${second.address}\n`);
    await first.process.kill();
    await load.more(SOME);
    assertEquals(await second.process.ready("master"), second.address);
    await load.more(SOME);
    await load.stop();
    assertEquals(load.failures, []);
  });

  await t.step("a killed master that comes back waits, and takes over from the other", async () => {
    await cluster.restart(first);
    assertEquals(first.process.out, `waiting master ${first.address}\n`);
    second.process.signal("SIGTERM");
    assertEquals(await second.process.ended(), 0);
    await first.process.ready("master");
    await cluster.restart(second);
  });

  await t.step("the whole ensemble stopped for 20 s: no operation fails", async () => {
    using client = openClient(cluster.masterAddresses);
    await using load = new Load(client);
    await load.more(SOME);
    await ensemble.stop();
    const before = load.operations;
    await new Promise((resolve) => setTimeout(resolve, OUTAGE_MS));
    assert(load.operations > before + SOME, "the load went on");
    await ensemble.startAgain();
    await load.more(SOME);
    await load.stop();
    assertEquals(load.failures, []);
  });

  await t.step(
    "and all is normal when it is back: registrations, an active master, a data node restarted",
    async () => {
      for (const { address } of cluster.dataNodes) {
        await eventually(`${address} registered again`, async () => {
          const text = await ensemble.read(`${cluster.root}/data/${address}`);
          return Number.isInteger(JSON.parse(text).label) || undefined;
        });
      }
      const victim = cluster.dataNodes[2]!;
      await victim.process.kill();
      await cluster.restart(victim);
      using client = openClient(cluster.masterAddresses);
      await using load = new Load(client);
      await load.more(SOME);
      await load.stop();
      assertEquals(load.failures, []);
    },
  );

  await t.step(
    "all masters dead: a client that knows the ring and a new one at a data node go on",
    async () => {
      using old = openClient(cluster.masterAddresses);
      await using load = new Load(old);
      await load.more(SOME);
      for (const { process } of cluster.masters) await process.kill();
      await load.more(SOME);
      await load.stop();
      assertEquals(load.failures, []);
      const node = cluster.dataNodes[0]!.address;
      const { code, out, err } = await runKv(["put", "new", "client", "--addr", node]);
      assertEquals({ code, out }, { code: 0, out: "created\n" }, err);
      await cluster.restart(...cluster.masters);
      await eventually(
        "a master is active",
        () => cluster.masters.some(({ process }) => /^ready /m.test(process.out)) || undefined,
      );
    },
  );

  await t.step("an address that is taken is refused with a clear error", async () => {
    for (const args of [["master"], ["data", "--data", `${folder.path}/taken`]]) {
      await using late = new KvProcess([
        ...args,
        "--addr",
        first.address,
        "--zk",
        ensemble.addresses,
        "--root",
        "/taken",
      ]);
      assertEquals(await late.ended(), 6, late.err);
      assert(late.err.includes(first.address), late.err);
    }
  });

  await t.step("a folder in use is refused with a clear error", async () => {
    const { args } = cluster.dataNodes[0]!;
    await using twin = new KvProcess([...args, "--zk", ensemble.addresses, "--root", cluster.root]);
    assertEquals(await twin.ended(), 6, twin.err);
    assert(twin.err.includes(`${folder.path}/data0`), twin.err);
  });

  await t.step("a second signal ends a node at once, and its slots are its own when it is back", async () => {
    const [leaver] = cluster.dataNodes;
    for (const { process } of cluster.masters) await process.kill();
    // Nobody lets it go: it waits.
    leaver!.process.signal("SIGTERM");
    await leaver!.process.errorLine(/^stopping; a second signal stops at once$/m);
    leaver!.process.signal("SIGTERM");
    assertEquals(await leaver!.process.ended(), 130);
    await cluster.restart(...cluster.masters, leaver!);
    using client = openClient(cluster.masterAddresses);
    await using load = new Load(client);
    await load.more(SOME);
    await load.stop();
    assertEquals(load.failures, []);
  });
});
