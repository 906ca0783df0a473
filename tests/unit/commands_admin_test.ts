import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { KvError } from "../../core/platform/errors.ts";
import { program } from "../../commands/framework/program.ts";
import { rebalanced } from "../../core/ring/assignment.ts";
import { placementOf } from "../../core/ring/followers.ts";
import { COPY, FakeClient, kv, recordingIo } from "./commands_fake.ts";
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

const FORCE = ["admin", "force-owner", "label:68", "s:1", "--accept-data-loss"];

/** Data node b is lost; the standby, which was not in sync, gets served what is forced on it. */
function lonely(): [Told, FakeClient] {
  const told = new Told();
  told.change((entry) => ({ ...entry, isr: [entry.owner!] }));
  told.kill("b");
  const client = clientOf(told);
  client.onAsked = () => {
    const change = told.ring.slots.map((entry) => entry.owner?.id === "b" ? { ...entry, lineage: 2 } : entry);
    client.ringChanges = { ...told.ring, slots: change };
    const report = { lineage: 2, lastEpoch: 3, lastLsn: 40, keysKept: 2, keysLost: 1, unusable: "" };
    const salvaged = { ...report, lost: [new TextEncoder().encode("a key")] };
    client.copyOf = (slot) => ({ ...COPY, slot, serving: true, salvaged });
  };
  return [told, client];
}

Deno.test("force-owner: explains, asks the master for each slot as it stands, and tells what became of it", async () => {
  const [, client] = lonely();
  const { code, stdout, stderr } = await kv(client, [...FORCE, "--yes", "--owner-is-dead", "--by", "alice"]);
  assertEquals(code, 0);
  assertStringIncludes(stderr, "slots 35..102: to be given to s:1 by force, with what it has:\n");
  assertStringIncludes(stderr, "  slot 35: 2 keys, 30 bytes; its log ends at 40 of epoch 3\n");
  assertStringIncludes(stderr, "is only on: data b:1 (label 68).\n");
  assertStringIncludes(
    stdout,
    "slot 35: 2 keys kept, 1 key lost; its log ended at 40 of epoch 3\n  lost: a key\n",
  );
  assertEquals(stdout.endsWith("slots 35..102: served by s:1\n"), true);
  const request = JSON.parse(client.asked[0]!.slice("force ".length));
  assertEquals(request.slots.length, 68);
  assertEquals(request.slots[0], { slot: 35, epoch: 1, isrSeq: 1 });
  assertEquals([request.node.id, request.by, request.ownerIsDead, request.acceptEmpty], [
    "s",
    "alice",
    true,
    false,
  ]);
});

Deno.test("force-owner: without the word or a yes nothing is done", async () => {
  const [, client] = lonely();
  const { code, stderr } = await kv(client, FORCE.slice(0, 4));
  assertEquals([code, /--accept-data-loss/.test(stderr)], [2, true]);
  assertEquals((await kv(client, FORCE)).code, 2, "there is no terminal");
  assertEquals((await kv(client, ["admin", "force-owner", "137", "s", ...FORCE.slice(4)])).code, 2);
  assertEquals((await kv(client, ["admin", "force-owner", "9..7", "s", ...FORCE.slice(4)])).code, 2);
  assertEquals((await kv(client, ["admin", "force-owner", "label:1", "s", ...FORCE.slice(4)])).code, 2);
  const served = await kv(client, ["admin", "force-owner", "label:0", "s", ...FORCE.slice(4)]);
  assertEquals([served.code, /every slot of data a:1 .* is served/.test(served.stderr)], [6, true]);
  assertEquals(client.asked, []);
  for (const [answer, code] of [["no\n", 1], ["yes\n", 0]] as const) {
    const io = { ...recordingIo(answer), stdinIsTerminal: true };
    assertEquals(await program(FORCE, io, () => Promise.resolve(client)), code, answer);
  }
  assertEquals(client.asked.length, 1);
});

Deno.test("salvage: of damaged copies alone, by the owner itself; status names it", async () => {
  const [told, client] = lonely();
  told.tell(7, { serving: false, damaged: true, reason: "a checksum does not match" });
  client.servers = told.servers;
  assertEquals((await kv(client, ["admin", "salvage", "8", "--yes"])).code, 6);
  assertEquals((await kv(client, ["admin", "salvage", "40", "--yes"])).code, 6);
  assertStringIncludes(
    (await kv(client, ["status"])).stdout,
    "what can be read is saved by kv admin salvage 7\n",
  );
  client.copyOf = (slot) => ({ ...COPY, slot, unusable: "a checksum does not match (files/0.1, byte 77)" });
  client.onAsked = () => {
    client.ringChanges = {
      ...told.ring,
      slots: told.ring.slots.map((entry) => ({ ...entry, lineage: 2 })),
    };
    const report = { lineage: 2, lastEpoch: 3, lastLsn: 40, keysKept: 9, keysLost: 0, lost: [] };
    const salvaged = { ...report, unusable: "a checksum does not match (files/0.1, byte 77)" };
    client.copyOf = (slot) => ({ ...COPY, slot, serving: true, salvaged });
  };
  const { code, stdout, stderr } = await kv(client, ["admin", "salvage", "7", "--yes", "--output", "json"]);
  assertStringIncludes(stderr, "  slot 7: a checksum does not match (files/0.1, byte 77)\n");
  const slot = { slot: 7, keysKept: 9, keysLost: 0, lost: [], lastEpoch: 3, lastLsn: 40 };
  const unusable = "a checksum does not match (files/0.1, byte 77)";
  assertEquals([code, JSON.parse(stdout)], [0, { address: "a:1", slots: [{ ...slot, unusable }] }]);
  const request = JSON.parse(client.asked[0]!.slice("force ".length));
  assertEquals([request.slots, request.node.id], [[{ slot: 7, epoch: 1, isrSeq: 1 }], "a"]);
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

/** Runs with all waits over at once. */
async function hasty<T>(work: () => Promise<T>): Promise<T> {
  const { setTimeout } = globalThis;
  globalThis.setTimeout = ((done: () => void) => setTimeout(done, 0)) as typeof setTimeout;
  try {
    return await work();
  } finally {
    globalThis.setTimeout = setTimeout;
  }
}

Deno.test("what was begun and is not seen to end has an exit code of its own", async () => {
  const slow = await hasty(() => kv(clientOf(new Told()), ["admin", "drain", "s"]));
  assertEquals([slow.code, slow.stdout], [6, ""], "a node that is not let go");
  const told = new Told();
  told.change((entry, slot) => slot < 40 ? { ...entry, owner: ref("a"), isr: [ref("a"), ref("s")] } : entry);
  const stalled = await hasty(() => kv(clientOf(told), ["admin", "rebalance", "--yes"]));
  assertEquals(stalled.code, 4);
  assertStringIncludes(
    stalled.stderr,
    "nothing has moved for 30 s: 5 slots to hand over; it goes on by itself",
  );
  const [, client] = lonely();
  const onAsked = client.onAsked;
  client.onAsked = (what) => {
    onAsked(what);
    client.copyOf = (slot) => ({ ...COPY, slot });
  };
  const unserved = await hasty(() => kv(client, [...FORCE, "--yes"]));
  assertEquals(unserved.code, 4);
  assertStringIncludes(unserved.stderr, "s:1 owns the slots, but does not serve slots 35..102 after 30 s");
});

Deno.test("force-owner: a node that falls silent after it was made the owner is no failure without effect", async () => {
  const [, client] = lonely();
  client.onAsked = () => {
    client.copyOf = () => {
      throw new KvError("unreachable", "no answer");
    };
  };
  const { code, stderr } = await kv(client, [...FORCE, "--yes"]);
  assertEquals(code, 4);
  assertStringIncludes(stderr, "s:1 owns slots 35..102, and whether it serves them cannot be told");
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
