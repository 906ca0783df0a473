/** What is done by force, and what is begun and not seen to end. */

import { assertEquals, assertStringIncludes } from "@std/assert";
import { program } from "../../commands/framework/program.ts";
import { KvError } from "../../core/platform/errors.ts";
import { clientOf, FORCE, hasty, lonely } from "./commands_admin_world.ts";
import { COPY, kv, recordingIo } from "./commands_fake.ts";
import { ref, Told } from "./insight_world.ts";

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

Deno.test("salvage: of several owners, those that were done before a failure are told", async () => {
  const told = new Told();
  for (const slot of [7, 40]) {
    told.tell(slot, { serving: false, damaged: true, reason: "a checksum does not match" });
  }
  const client = clientOf(told);
  client.onAsked = (what) => {
    if (client.asked.length > 1) throw new KvError("unavailable", "the master has gone");
    assertStringIncludes(what, '"slot":7');
    client.ringChanges = { ...told.ring, slots: told.ring.slots.map((entry) => ({ ...entry, lineage: 2 })) };
    const report = {
      lineage: 2,
      lastEpoch: 3,
      lastLsn: 40,
      keysKept: 9,
      keysLost: 0,
      lost: [],
      unusable: "",
    };
    client.copyOf = (slot) => ({ ...COPY, slot, serving: true, salvaged: report });
  };
  const { code, stderr } = await kv(client, ["admin", "salvage", "7,40", "--yes"]);
  assertEquals(code, 4);
  assertStringIncludes(stderr, "slot 7: done. slot 40: the master has gone. See kv status");
});

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
