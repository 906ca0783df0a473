/** `kv up`: a cluster by one command, and again on the same folder. */

import { assert, assertEquals, assertMatch } from "@std/assert";
import { Ensemble } from "./harness/ensemble.ts";
import { TempFolder } from "./harness/folder.ts";
import { eventually } from "./harness/eventually.ts";
import { KvProcess, runKv } from "./harness/process.ts";

/** Waits until the cluster serves; returns the address of its active master. */
async function serving(up: KvProcess, dataNodes = 2): Promise<string> {
  const address = await up.ready("master");
  await up.errorLine(/^kv is ready/);
  // They were printed before, but in another pipe, which may be read later.
  assertEquals((await up.lines(/^ready data /, dataNodes)).length, dataNodes, up.out);
  return address;
}

Deno.test("kv up: says that it is ready after everything else", async () => {
  await using folder = await TempFolder.make();
  const args = ["up", "--addr", "127.0.0.1:", "--dir", `${folder.path}/cluster`, "--data", "3"];
  await using up = new KvProcess(args, { merged: true });
  await up.line(/^kv is ready/);
  const ready = up.out.split("\n").filter((line) => /^(ready data|ready master|kv is ready)/.test(line));
  assertEquals(ready.map((line) => line.split(" ")[1]), ["master", "data", "data", "data", "is"], up.out);
});

Deno.test("kv up: put, stop, up again on the same folder, get", async () => {
  await using folder = await TempFolder.make();
  const args = ["up", "--addr", "127.0.0.1:", "--dir", `${folder.path}/cluster`];
  {
    await using up = new KvProcess(args);
    const addr = await serving(up);
    const { code, out, err } = await runKv(["shell", "--addr", addr], { stdin: "put a 1\nget a\n" });
    assertEquals({ code, out }, { code: 0, out: "created\n1\n" }, err);
    up.signal("SIGTERM");
    assertEquals(await up.ended(), 0, up.err);
  }
  await using up = new KvProcess(args);
  const addr = await serving(up);
  const { code, out, err } = await runKv(["shell", "--addr", addr], { stdin: "get a\n" });
  assertEquals({ code, out }, { code: 0, out: "1\n" }, err);
});

Deno.test("kv up: a kill -9 loses nothing that was acknowledged", async () => {
  await using folder = await TempFolder.make();
  const args = ["up", "--addr", "127.0.0.1:", "--dir", `${folder.path}/cluster`, "--data", "3"];
  const lines = Array.from({ length: 200 }, (_, i) => `put key-${i} value-${i}\n`).join("");
  {
    await using up = new KvProcess(args);
    const { code, err } = await runKv(["shell", "--addr", await serving(up, 3)], { stdin: lines });
    assertEquals(code, 0, err);
    await up.kill();
  }
  await using up = new KvProcess(args);
  const reads = Array.from({ length: 200 }, (_, i) => `get key-${i}\n`).join("");
  const { out, err } = await runKv(["shell", "--addr", await serving(up, 3)], { stdin: reads });
  assertEquals(out, Array.from({ length: 200 }, (_, i) => `value-${i}\n`).join(""), err);
});

Deno.test("kv up: ports taken are an error, or the next free with --auto-port", async () => {
  await using folder = await TempFolder.make();
  using taken = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const addr = `127.0.0.1:${(taken.addr as Deno.NetAddr).port}`;
  const refused = await runKv(["up", "--addr", addr, "--dir", `${folder.path}/refused`]);
  assertEquals({ code: refused.code, out: refused.out }, { code: 6, out: "" }, refused.err);
  assertMatch(refused.err, /is taken.*--auto-port/);
  await using up = new KvProcess(["up", "--addr", addr, "--auto-port", "--dir", `${folder.path}/cluster`]);
  assert(await serving(up) !== addr);
});

Deno.test("kv up --zookeeper: a process for each role, all ended with it", async () => {
  await using folder = await TempFolder.make();
  await using ensemble = await Ensemble.start(folder.path, 1);
  const args = [
    "up",
    "--zookeeper",
    "--zk",
    ensemble.addresses,
    "--addr",
    "127.0.0.1:",
    "--dir",
    `${folder.path}/cluster`,
  ];
  await using up = new KvProcess(args);
  const addr = await serving(up);
  const { out, err } = await runKv(["shell", "--addr", addr], { stdin: "put a 1\nget a\n" });
  assertEquals(out, "created\n1\n", err);
  up.signal("SIGTERM");
  assertEquals(await up.ended(), 0, up.err);
  assertEquals((await runKv(["get", "a", "--addr", addr, "--timeout-ms", "600"])).code, 3);
});

Deno.test("kv up: its cluster moves to ZooKeeper, which knows nothing of it, with all that it has", async () => {
  await using folder = await TempFolder.make();
  const args = ["up", "--addr", "127.0.0.1:", "--dir", `${folder.path}/cluster`];
  {
    await using up = new KvProcess(args);
    const { code, err } = await runKv(["put", "a", "1", "--addr", await serving(up)]);
    assertEquals(code, 0, err);
    up.signal("SIGTERM");
    assertEquals(await up.ended(), 0, up.err);
  }
  await using ensemble = await Ensemble.start(folder.path, 1);
  await using up = new KvProcess([...args, "--zookeeper", "--zk", ensemble.addresses]);
  const addr = await up.ready("master");
  await up.errorLine(/writes nothing until kv admin accept-ring.* has taken ring \d+ of cluster/);
  const stopped = await runKv(["status", "--addr", addr]);
  assertMatch(stopped.out, /^verdict: unavailable: .*writes no ring.*kv admin accept-ring/m);
  const { code, out, err } = await runKv(["admin", "accept-ring", "--yes", "--addr", addr]);
  assertEquals(code, 0, err);
  assertMatch(out, /^accepted, as ring \d+$/m);
  await serving(up);
  assertEquals((await runKv(["get", "a", "--addr", addr])).out, "1\n");
});

Deno.test("kv up --zookeeper: killed, its processes end by themselves and keep their slots", async () => {
  await using folder = await TempFolder.make();
  await using ensemble = await Ensemble.start(folder.path, 1);
  const place = ["--zk", ensemble.addresses, "--addr", "127.0.0.1:", "--dir", `${folder.path}/cluster`];
  const args = ["up", "--zookeeper", ...place, "--masters", "1", "--standbys", "0"];
  {
    await using up = new KvProcess(args);
    const { code, err } = await runKv(["put", "a", "1", "--addr", await serving(up)]);
    assertEquals(code, 0, err);
    // The master, too, has these addresses among its words; the ensemble itself has not.
    const processes = () => running(ensemble.addresses);
    assertEquals((await processes()).length, 4, "kv up, a master, two data nodes");
    await up.kill();
    await eventually("the end of all processes", async () => (await processes()).length === 0 || undefined);
  }
  await using up = new KvProcess(args);
  const addr = await serving(up);
  assertEquals((await runKv(["get", "a", "--addr", addr])).out, "1\n");
  const { out } = await runKv(["status", "--addr", addr]);
  assertMatch(out, /label 0,.* 69 of 69 slots served[^]*label 68,.* 68 of 68 slots served/, out);
});

/** The processes, below /proc, that have this text among their words. By grep, which any machine has and may read there. */
async function running(text: string): Promise<string[]> {
  const script = 'printf "%s" "$TEXT" | grep -lsF -f - /proc/[0-9]*/cmdline';
  const { stdout } = await new Deno.Command("sh", { args: ["-c", script], env: { TEXT: text } }).output();
  return new TextDecoder().decode(stdout).split("\n").filter((line) => line !== "");
}
