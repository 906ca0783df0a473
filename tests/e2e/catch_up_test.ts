/** A standby copies a data node with many keys: what it tells of it, and how little it fetches when it was there before. */

import { assert, assertEquals } from "@std/assert";
import type { Client } from "../../core/client/api.ts";
import { openObserver } from "./harness/client.ts";
import { Cluster } from "./harness/cluster.ts";
import { Ensemble } from "./harness/ensemble.ts";
import { eventually } from "./harness/eventually.ts";
import { TempFolder } from "./harness/folder.ts";
import { lackOfSync, type Observer, statusOf } from "./harness/health.ts";
import { runKv } from "./harness/process.ts";
import type { Server } from "./harness/server.ts";

const KEYS = 200_000;
const AT_ONCE = 2000;
const VALUE = "v".repeat(100);

async function putKeys(client: Client, count: number, value = VALUE): Promise<void> {
  for (let first = 0; first < count; first += AT_ONCE) {
    await client.putMany(Array.from({ length: AT_ONCE }, (_, i) => [`key-${first + i}`, value]));
  }
}

async function inSync(observer: Observer, nodes: readonly Server[]): Promise<void> {
  await eventually("the standby is in sync", async () => {
    const lack = await lackOfSync(observer, nodes, 2);
    if (lack !== undefined) throw new Error(lack);
    return true;
  });
}

/** The values of one field in the lines of this process's messages that have the words. */
function told({ process: { err } }: Server, words: string, field: string): number[] {
  const lines = err.split("\n").filter((line) => line.includes(`: ${words}`));
  return lines.flatMap((line) => new RegExp(` ${field}=([\\d.]+)`).exec(line)?.[1] ?? []).map(Number);
}

/** Bytes of whole copies that came, by its last words. */
async function bytesFetched(server: Server): Promise<number> {
  return await eventually("it says that it has caught up", () => told(server, "caught up", "bytes").at(-1));
}

Deno.test("a standby tells how it catches up, goes on where it was, and fetches what it lacks", async (t) => {
  await using folder = await TempFolder.make();
  await using ensemble = await Ensemble.start(folder.path);
  const nodeFlags = ["--transfer-bytes-per-second", String(4 << 20)];
  const options = { zk: ensemble.addresses, folder: folder.path, masters: 1, data: 1, nodeFlags };
  await using cluster = await Cluster.start(options);
  using observer = openObserver(cluster.masterAddresses);
  await putKeys(observer.client, KEYS);
  const standby = await cluster.addStandby();
  const [owner] = cluster.dataNodes;
  let whole = 0;

  await t.step("bytes, slots and time to go, on standard error and by kv status", async () => {
    const transfer = await eventually("a transfer is under way", async () => {
      const status = await statusOf(observer, owner!);
      const transfer = status?.followers[0]?.transfer;
      return (transfer?.bytesSent ?? 0) > 2 << 20 ? transfer : undefined;
    });
    assert(transfer.slots > 0 && transfer.bytesLeft > 0 && transfer.bytesPerSecond > 0);
    const { out } = await runKv(["status", "--addr", cluster.masterAddresses.join()]);
    assert(/on the way: .* sent, .* left, .*\/s, .* to go/.test(out), out);
    await inSync(observer, cluster.nodes);
    whole = await bytesFetched(standby);
    assert(whole > KEYS * VALUE.length, `${whole}`);
    const left = told(standby, "catching up", "bytesLeft");
    assert(left.length >= 3 && left.every((bytes, i) => i === 0 || bytes < left[i - 1]!), `${left}`);
    const slots = told(standby, "catching up", "slotsLeft");
    assert(slots[0]! > slots.at(-1)!, `${slots}`);
    assert(told(standby, "catching up", "secondsToGo").length > 0);
    console.log(`all: ${whole} bytes; left ${left}; slots ${slots}`);
  });

  await t.step("back after a restart it gets only the records that it lacks", async () => {
    await standby.process.kill();
    await putKeys(observer.client, AT_ONCE, "short");
    standby.startAgain();
    await standby.serving();
    await inSync(observer, cluster.nodes);
    assertEquals(told(standby, "catching up", "bytes"), [], standby.process.err);
  });

  await t.step("back after the owner's restart too, it gets no value twice", async () => {
    await standby.process.kill();
    await putKeys(observer.client, AT_ONCE, "other");
    owner!.process.signal("SIGHUP");
    await owner!.process.ended();
    owner!.startAgain();
    await owner!.serving();
    standby.startAgain();
    await standby.serving();
    await inSync(observer, cluster.nodes);
    const bytes = await bytesFetched(standby);
    console.log(`after both: ${bytes} bytes`);
    assert(bytes < whole - KEYS * VALUE.length * 0.9, `${bytes} of ${whole}`);
  });

  await t.step("killed in the middle it goes on with the slots that it does not have", async () => {
    await standby.process.kill();
    const second = await cluster.addStandby();
    await eventually(
      "half of it has come",
      () => told(second, "catching up", "slotsLeft").some((n) => n < 69),
    );
    await second.process.kill();
    second.startAgain();
    await second.serving();
    await inSync(observer, [owner!, second]);
    const bytes = await bytesFetched(second);
    console.log(`after half: ${bytes} bytes`);
    assert(bytes < 0.6 * whole, `${bytes} of ${whole}`);
  });
});
