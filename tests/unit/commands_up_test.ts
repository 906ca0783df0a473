import { assertEquals, assertRejects, assertStringIncludes, assertThrows } from "@std/assert";
import { UsageError } from "../../commands/framework/command.ts";
import { parseCommandLine } from "../../commands/framework/parse.ts";
import { Started } from "../../commands/up/cluster.ts";
import { openEnsemble } from "../../commands/up/ensemble.ts";
import { holdFolder } from "../../commands/up/folder.ts";
import { planOf } from "../../commands/up/plan.ts";
import { isFree, masterAddresses } from "../../commands/up/ports.ts";
import { command } from "../../commands/up.ts";
import { defaultConfig } from "../../core/platform/config.ts";
import { KvError } from "../../core/platform/errors.ts";
import { FakeClient, kv, recordingIo } from "./commands_fake.ts";

const free = () => true;
const takenPorts = (...ports: number[]) => (address: string) =>
  !ports.includes(Number(address.split(":")[1]));

Deno.test("masters listen on the ports from --addr upwards", () => {
  assertEquals(masterAddresses(":9666", 2, false, free), ["127.0.0.1:9666", "127.0.0.1:9667"]);
  assertEquals(masterAddresses("[::1]:80", 1, false, free), ["[::1]:80"]);
  assertEquals(masterAddresses(":", 2, false, () => false), ["127.0.0.1:0", "127.0.0.1:0"]);
});

Deno.test("a port that is taken is named with the way out, or skipped with --auto-port", () => {
  const error = assertThrows(
    () => masterAddresses(":9666", 2, false, takenPorts(9667)),
    KvError,
    "port 9667",
  );
  assertEquals([error.code, error.message.includes("--auto-port")], ["refused", true]);
  assertEquals(masterAddresses(":9666", 3, true, takenPorts(9667, 9668)), [
    "127.0.0.1:9666",
    "127.0.0.1:9669",
    "127.0.0.1:9670",
  ]);
  assertThrows(() => masterAddresses(":65535", 2, true, free), KvError, "no 2 free ports");
  assertThrows(() => masterAddresses(":1", 1, true, () => false), KvError, "no 1 free ports");
});

Deno.test("whether a port is free is found out by trying", () => {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const address = `127.0.0.1:${listener.addr.port}`;
  assertEquals(isFree(address), false);
  listener.close();
  assertEquals(isFree(address), true);
});

function plan(words: string[]) {
  const io = recordingIo();
  const { flags, typed } = parseCommandLine(["--addr", ":0", ...words], command, ["log-level"]);
  const connect = () => Promise.reject(new UsageError("not used here"));
  return { io, plan: planOf({ io, args: [], flags, typed, config: defaultConfig(), connect }) };
}

Deno.test("the nodes of a folder are all started again, new ones are told apart", () => {
  const folder = Deno.makeTempDirSync();
  const names = (nodes: readonly { readonly name: string; readonly folder: string }[]) =>
    nodes.map(({ name, folder: own }) => {
      assertEquals(own.split("/").at(-1), name);
      return name;
    });
  try {
    const { plan: fresh } = plan(["--dir", `${folder}/new/`]);
    assertEquals(names(fresh.fresh), ["data1", "data2", "sb1", "sb2"]);
    assertEquals(fresh.fresh.map(({ role }) => role), ["data", "data", "standby", "standby"]);
    assertEquals([fresh.fresh[0]?.folder, fresh.present], [`${folder}/new/data1`, []]);
    for (const name of ["data1", "data2", "data3", "data", "datax9", "coordinator", "sb1"]) {
      Deno.mkdirSync(`${folder}/${name}`);
    }
    const { plan: found, io } = plan(["--dir", folder]);
    assertEquals(names(found.present), ["data1", "data2", "data3", "sb1"]);
    assertEquals(names(found.fresh), ["sb2"]);
    assertEquals(io.stderr(), `${folder} has 3 data nodes: starting all of them\n`);
    Deno.removeSync(`${folder}/data2`);
    const { plan: gap } = plan(["--dir", folder, "--data", "4", "--standbys", "1"]);
    assertEquals([names(gap.present), names(gap.fresh)], [["data1", "data3", "sb1"], ["data4", "data5"]]);
    assertEquals(plan(["--dir", folder]).io.stderr(), "", "two are there, and two are wanted");
    Deno.mkdirSync(`${folder}/data2`);
    assertEquals(names(plan(["--dir", folder, "--data", "4", "--standbys", "0"]).plan.fresh), ["data4"]);
  } finally {
    Deno.removeSync(folder, { recursive: true });
  }
});

Deno.test("what was started last is stopped first", async () => {
  const stopped: number[] = [];
  const started = new Started();
  for (const number of [1, 2, 3]) {
    started.add(() => {
      stopped.push(number);
      return Promise.resolve();
    });
  }
  await started.stop();
  await started.stop();
  assertEquals(stopped, [3, 2, 1]);
});

for (
  const [words, message] of [
    [["--zk", "127.0.0.1:2181"], "--zk means nothing without --zookeeper"],
    [["--root", "/other"], "--root means nothing without --zookeeper"],
    [["--session-timeout-ms", "5000"], "--session-timeout-ms means nothing without --zookeeper"],
    [
      ["--data", "14", "--msn", "13"],
      "--data 14 is more than the ring has seats, msn 13: give at most --data 13",
    ],
    [["--addr", "0.0.0.0:9666"], "means all addresses of this machine"],
  ] as const
) {
  Deno.test(`kv up ${words.join(" ")}: ${message}`, async () => {
    const folder = Deno.makeTempDirSync();
    const { code, stdout, stderr } = await kv(new FakeClient(), ["up", "--dir", folder, ...words]);
    Deno.removeSync(folder, { recursive: true });
    assertEquals([code, stdout], [2, ""]);
    assertStringIncludes(stderr, message);
  });
}

Deno.test("a second kv up on a folder is told so, and not that ports are taken", async () => {
  const folder = Deno.makeTempDirSync();
  const release = holdFolder(folder);
  using taken = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const addr = `127.0.0.1:${taken.addr.port}`;
  const { code, stderr } = await kv(new FakeClient(), ["up", "--dir", folder, "--addr", addr]);
  assertEquals([code, stderr], [
    6,
    `kv: another kv up runs on ${folder}: talk to it with kv shell, stop it, or give another folder with --dir\n`,
  ]);
  release();
  holdFolder(folder)();
  Deno.removeSync(folder, { recursive: true });
});

Deno.test("kv up --zookeeper of a program without scripts/zk says that it cannot start an ensemble", async () => {
  const self = Deno.env.get("KV_SELF");
  Deno.env.set("KV_SELF", "/nonexistent/bin/kv");
  try {
    const { plan: planned } = plan(["--dir", "/nonexistent/kv-data"]);
    const config = { ...defaultConfig(), zk: ["127.0.0.1:1"], callTimeoutMs: 100 };
    const error = await assertRejects(() => openEnsemble({ ...planned, config }), KvError);
    assertEquals(error.code, "unavailable");
    assertStringIncludes(error.message, "this kv has no scripts/zk beside it, which could start one");
  } finally {
    if (self === undefined) Deno.env.delete("KV_SELF");
    else Deno.env.set("KV_SELF", self);
  }
});
