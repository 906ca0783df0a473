import { assertEquals, assertStringIncludes } from "@std/assert";
import { KvError } from "../../core/platform/errors.ts";
import { FakeClient, kv } from "./commands_fake.ts";
import { ref, Told } from "./insight_world.ts";

function clientOf(told: Told): FakeClient {
  const client = new FakeClient();
  client.ringChanges = told.ring;
  client.servers = told.servers;
  return client;
}

async function run(client: FakeClient, ...words: string[]) {
  const { code, stdout, stderr } = await kv(client, words);
  return [code, stdout, stderr];
}

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

Deno.test("admin: wrong words are usage errors", async () => {
  const client = new FakeClient();
  for (const words of [["drian", "a"], ["drain"], ["drain", "a", "b"], ["can-stop", "a", "--no-wait"]]) {
    assertEquals((await kv(client, ["admin", ...words])).code, 2, words.join(" "));
  }
});
