import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { KvError } from "../../core/platform/errors.ts";
import { program } from "../../commands/framework/program.ts";
import { rebalanced } from "../../core/ring/assignment.ts";
import { placementOf } from "../../core/ring/followers.ts";
import { clientOf, run } from "./commands_admin_world.ts";
import { FakeClient, kv, recordingIo } from "./commands_fake.ts";
import { ref, Told } from "./insight_world.ts";

Deno.test("plan: text and JSON", async () => {
  const client = clientOf(new Told());
  assertEquals(await run(client, "plan", "join"), [
    0,
    "data b:1 (label 68) -> data new (label 102): hands over slots 86..102; copies 17 slots: 170 keys, 17.0 KB\n" +
    "data a:1 (label 0) -> data new (label 102): hands over slots 103..119; copies 17 slots: 170 keys, 17.0 KB\n" +
    "a new data node with label 102: 34 slots change hands, 34.0 KB to copy, about 17 s\n",
    "",
  ]);
  const { stdout } = await kv(client, ["plan", "drain", "s", "--output", "json"]);
  assertEquals(JSON.parse(stdout), { what: "without s:1", moves: [], sizeUnknown: [], seconds: 0 });
});

Deno.test("plan: what makes no sense is a usage error, what cannot be is refused", async () => {
  const told = new Told();
  const client = clientOf(told);
  assertEquals((await kv(client, ["plan", "jion"])).code, 2);
  assertEquals((await kv(client, ["plan", "join", "a"])).code, 2);
  assertEquals((await kv(client, ["plan", "drain"])).code, 2);
  assertEquals((await kv(client, ["plan", "drain", "x"])).code, 2);
  client.ringChanges = { ...told.ring, nodes: told.ring.nodes.slice(0, 1) };
  const { code, stderr } = await kv(client, ["plan", "drain", "a"]);
  assertEquals([code, stderr.startsWith("kv: a:1 cannot be drained: it is the last data node")], [6, true]);
});

Deno.test("can-stop: yes and no, with exit codes", async () => {
  const told = new Told();
  assertEquals(await run(clientOf(told), "admin", "can-stop", "a:1"), [0, "yes: a:1 may stop\n", ""]);
  told.kill("s");
  assertEquals(await run(clientOf(told), "admin", "can-stop", "a"), [
    1,
    "no: slots 0..34, 103..136: no other copy in sync is alive\n",
    "",
  ]);
  assertEquals((await kv(clientOf(told), ["admin", "can-stop", ":1"])).code, 2);
  told.masters[0] = { ...told.masters[0]!, address: "127.0.0.1:9666" };
  const { stdout } = await kv(clientOf(told), ["admin", "can-stop", ":9666", "--output", "json"]);
  assertEquals(JSON.parse(stdout), { address: "127.0.0.1:9666", canStop: true, reasons: [] });
});

Deno.test("drain: asks the node and waits until it has gone", async () => {
  const told = new Told();
  const client = clientOf(told);
  client.onAsked = () => {
    setTimeout(() => {
      told.change((entry) => ({ ...entry, owner: ref("a"), isr: [ref("a"), ref("s")] }));
      client.ringChanges = { ...told.ring, nodes: told.ring.nodes.slice(0, 1) };
    }, 300);
  };
  const [code, stdout, stderr] = await run(client, "admin", "drain", "b:1");
  assertEquals([code, stdout, client.asked], [0, "drained b:1\n", ["drain b"]]);
  assertStringIncludes(String(stderr), "b:1: 68 slots to hand over, 0 copies to be replaced\n");
  assertEquals(await run(clientOf(new Told()), "admin", "drain", "b", "--no-wait"), [
    0,
    "draining b:1\n",
    "",
  ]);
});

Deno.test("drain: what the node refuses is told", async () => {
  const client = clientOf(new Told());
  client.onAsked = () => {
    throw new KvError("refused", "it is the last data node");
  };
  assertEquals(await run(client, "admin", "drain", "b"), [6, "", "kv: it is the last data node\n"]);
});

Deno.test("accept-ring: only when a master has stopped to write, and then the verdict names it", async () => {
  const told = new Told();
  const client = clientOf(told);
  const refused = await kv(client, ["admin", "accept-ring", "--yes"]);
  assertEquals([refused.code, client.asked], [6, []]);
  const [first] = told.masters;
  told.masters[0] = { ...first!, reply: { ...first!.reply!, active: false, halted: "a:1 has taken ring 9" } };
  client.servers = told.servers;
  assertStringIncludes(
    (await kv(client, ["status"])).stdout,
    "master :1 writes no ring: a:1 has taken ring 9; start",
  );
  assertEquals((await kv(client, ["admin", "accept-ring"])).code, 2, "there is no terminal");
  const { code, stdout, stderr } = await kv(client, ["admin", "accept-ring", "--yes"]);
  assertEquals([code, stdout], [0, "accepted, as ring 1\n"]);
  assertStringIncludes(stderr, "master :1 writes nothing: a:1 has taken ring 9\n");
  assertEquals((await kv(client, ["admin", "accept-ring", "b", "--yes"])).code, 0);
  assertEquals(client.asked, ["accept the newest", "accept b"]);
});

Deno.test("rebalance: says what moves and asks; then it asks the master and waits until all has moved", async () => {
  const told = new Told();
  const toA = { owner: ref("a"), isr: [ref("a"), ref("s")] };
  told.change((entry, slot) => slot < 40 ? { ...entry, ...toA } : entry);
  const client = clientOf(told);
  const plan =
    "data a:1 (label 0) -> data b:1 (label 68): hands over slots 35..39; copies 5 slots: 50 keys, 5.0 KB\n" +
    "even shares: 5 slots change hands, 5.0 KB to copy, about 5 s\n";
  assertEquals(await run(client, "plan", "rebalance"), [0, plan, ""]);
  assertEquals((await kv(client, ["admin", "rebalance"])).code, 2, "there is no terminal");
  const io = { ...recordingIo("no\n"), stdinIsTerminal: true };
  assertEquals(await program(["admin", "rebalance"], io, () => Promise.resolve(client)), 1);
  assertEquals([io.stdout(), io.stderr()], ["", `${plan}Type "yes" to go on:\nnothing was done\n`]);
  assertEquals(client.asked, []);
  client.onAsked = () => {
    const after = rebalanced(told.ring, false);
    assert(typeof after === "object");
    client.ringChanges = after;
    setTimeout(() => {
      const { wanted } = placementOf(after);
      const slots = after.slots.map((entry, slot) => ({ ...entry, owner: wanted[slot]!.ref }));
      client.ringChanges = { ...after, slots };
    }, 300);
  };
  assertEquals(await run(client, "admin", "rebalance", "--yes"), [
    0,
    "rebalanced\n",
    `${plan}5 slots to hand over\n`,
  ]);
  assertEquals(client.asked, ["rebalance"]);
  assertEquals((await run(client, "admin", "rebalance", "--undo", "--yes", "--no-wait"))[0], 0);
  assertEquals(client.asked, ["rebalance", "rebalance undo"]);
  const undone = await kv(client, ["plan", "rebalance", "--undo"]);
  assertStringIncludes(undone.stdout, "each slot with the nearest label: ");
  assertEquals((await kv(client, ["plan", "join", "--undo"])).code, 2);
});

Deno.test("admin: wrong words are usage errors", async () => {
  const client = new FakeClient();
  for (
    const words of [["drian", "a"], ["drain"], ["drain", "a", "b"], ["can-stop", "a", "--no-wait"], [
      "rebalance",
      "a",
    ], ["drain", "a", "--yes"]]
  ) {
    assertEquals((await kv(client, ["admin", ...words])).code, 2, words.join(" "));
  }
});
