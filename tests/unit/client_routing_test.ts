import { assert, assertEquals, assertNotEquals, assertRejects } from "@std/assert";
import { OperationKind, Outcome } from "../../proto/gen/kv/v1/kv.ts";
import { KvError } from "../../core/platform/errors.ts";
import { cluster, KEY_A, KEY_B, keysIn, ringOf, text } from "./client_world.ts";

Deno.test("operations of one turn travel as one message to each owner", async () => {
  const { world, nodes, client } = await cluster();
  const entries = [...keysIn(0, 6, 50), ...keysIn(7, 12, 30)].map((key) => [key, `value of ${key}`] as const);
  const results = await world.run(client.putMany(entries));
  assertEquals(results.map(({ outcome }) => outcome), entries.map(() => "created"));
  assertEquals(nodes[0].batches.map(({ operations }) => operations.length), [50]);
  assertEquals(nodes[1].batches.map(({ operations }) => operations.length), [30]);

  const found = await world.run(client.getMany([...entries.map(([key]) => key), "missing"]));
  assertEquals(found.map((each) => each && text(each.value)), [
    ...entries.map(([, value]) => value),
    undefined,
  ]);
  assertEquals(nodes[0].batches.length + nodes[1].batches.length, 4);
  assertEquals(nodes[0].streams, 1);
});

Deno.test("who stays is connected to all nodes before they are needed, who does not is not", async () => {
  const { world, nodes: [a, b], client } = await cluster();
  await world.run(client.get(KEY_A));
  assertEquals([a.streams, b.streams], [1, 0]);
  await world.runMs(2000);
  assertEquals([a.streams, b.streams], [1, 1]);
});

Deno.test("a message stays below 1 MiB, but for one larger operation", async () => {
  const { world, nodes, client } = await cluster();
  const keys = keysIn(0, 6, 6);
  const sizes = [400_000, 400_000, 400_000, 2_000_000, 100, 400_000];
  await world.run(client.putMany(keys.map((key, i) => [key, new Uint8Array(sizes[i]!)])));
  const sent = nodes[0].batches.map(({ operations }) => operations.map(({ value }) => value.length));
  assertEquals(sent, [[400_000, 400_000], [400_000], [2_000_000], [100, 400_000]]);
});

Deno.test("nothing is sent between a full transport and its drained", async () => {
  const { world, nodes, client } = await cluster();
  await world.run(client.get(KEY_A));
  world.network.settings.backPressure = 1;
  world.network.settings.latencyMsMin = 5;
  const first = client.put(KEY_A, "1");
  await world.runMs(0);
  const others: Promise<unknown>[] = [];
  for (let i = 0; i < 4; i++) {
    others.push(client.get(KEY_A));
    await world.runMs(0.5);
  }
  await world.run(Promise.all([first, ...others]));
  assertEquals(nodes[0].batches.map(({ operations }) => operations.length), [1, 1, 4]);
});

Deno.test("wrong owner: waits for the ring that the refusal names, then asks the new owner", async () => {
  const { world, masters, nodes, client } = await cluster();
  const [a, b] = nodes;
  const newer = ringOf(2, [a.node, b.node], () => b.node);
  // No stream brings the new ring: it must be asked for.
  for (const each of [...masters, ...nodes]) each.offer(newer, "quietly");
  a.script = () => new KvError("wrong-owner", "not mine", { ringVersion: 2 });
  const result = await world.run(client.put(KEY_A, "1"));
  assertEquals(result.outcome, "created");
  assertEquals(a.operations.length, 1);
  assertEquals(b.operations.map(({ sequence, retry }) => ({ sequence, retry })), [{
    sequence: 1,
    retry: false,
  }]);
  assertEquals((await client.ring()).version, 2);
});

Deno.test("wrong owner while no master lives: the node that refused has the ring", async () => {
  const { world, masters, nodes, client } = await cluster();
  const [a, b] = nodes;
  for (const master of masters) master.kill();
  await world.runMs(3000);
  a.offer(ringOf(2, [a.node, b.node], () => b.node), "quietly");
  a.script = () => new KvError("wrong-owner", "not mine", { ringVersion: 2 });
  assertEquals((await world.run(client.put(KEY_A, "1"))).outcome, "created");
  assertEquals(text(b.values.get(KEY_A)?.value), "1");
});

Deno.test("wrong owner while the master's ring is old: the node that refused has the new one", async () => {
  const { world, nodes, client } = await cluster();
  const [a, b] = nodes;
  a.offer(ringOf(2, [a.node, b.node], () => b.node), "quietly");
  a.script = () => new KvError("wrong-owner", "not mine", { ringVersion: 2 });
  assertEquals((await world.run(client.put(KEY_A, "1"))).outcome, "created");
  assertEquals(a.operations.length, 1);
});

Deno.test("wrong owner by a node that lags behind: tries again until it has caught up", async () => {
  const { world, nodes, client } = await cluster();
  let refusals = 0;
  nodes[0].script = () =>
    ++refusals <= 3 ? new KvError("wrong-owner", "not yet mine", { ringVersion: 0 }) : undefined;
  assertEquals((await world.run(client.put(KEY_A, "1"))).outcome, "created");
  assertEquals(nodes[0].operations.map(({ sequence }) => sequence), [1, 1, 1, 1]);
});

Deno.test("a new ring takes operations under way to the new owner; the old one's late answers do no harm", async () => {
  const { world, masters, nodes, client } = await cluster();
  const [a, b] = nodes;
  a.script = () => "silence";
  const put = client.put(KEY_A, "1");
  const get = client.get(KEY_A);
  await world.runUntil(() => a.operations.length === 2);
  b.values.set(KEY_A, { value: new Uint8Array([7]), version: 9 });
  masters[0].offer(ringOf(2, [a.node, b.node], () => b.node));
  assertEquals((await world.run(put)).outcome, "updated");
  assertEquals(text((await world.run(get))?.value), "1");
  assertEquals(
    b.operations.map(({ kind, sequence, retry }) => ({ kind, sequence, retry })),
    [
      { kind: OperationKind.PUT, sequence: 1, retry: true },
      { kind: OperationKind.GET, sequence: 0, retry: false },
    ],
  );
});

Deno.test("the stream to a node that has left the ring is closed", async () => {
  const { world, masters, nodes, client } = await cluster();
  const [a, b] = nodes;
  await world.run(client.putMany([[KEY_A, "1"], [KEY_B, "1"]]));
  masters[0].offer(ringOf(2, [b.node], () => b.node));
  await world.runMs(100);
  assertEquals([a.openStreams, b.openStreams], [0, 1]);
});

Deno.test("another incarnation of the same node is another owner", async () => {
  const { world, masters, nodes, client } = await cluster();
  const [a, b] = nodes;
  a.script = () => "silence";
  const put = client.put(KEY_A, "1");
  await world.runUntil(() => a.operations.length === 1);
  a.script = () => undefined;
  const again = { ...a.node, ref: { ...a.node.ref, incarnation: 2 } };
  masters[0].offer(ringOf(2, [again, b.node], (slot) => slot < 7 ? again : b.node));
  assertEquals((await world.run(put)).outcome, "created");
  assertEquals(a.operations.map(({ sequence, retry }) => ({ sequence, retry })), [
    { sequence: 1, retry: false },
    { sequence: 1, retry: true },
  ]);
});

Deno.test("a broken stream: its operations go again, with the same client id and sequence", async () => {
  const { world, nodes, client } = await cluster();
  const node = nodes[0];
  node.script = ({ sequence, retry }) => sequence > 0 && !retry ? "break" : undefined;
  const results = await world.run(
    Promise.all([client.put(KEY_A, "1"), client.put(KEY_A, "2"), client.get(KEY_A)]),
  );
  assertEquals(text(results[2]?.value), "2");
  const [first, second] = node.batches;
  assertEquals(first!.operations.map(({ sequence, retry }) => [sequence, retry]), [[1, false], [2, false], [
    0,
    false,
  ]]);
  assertEquals(second!.operations.map(({ sequence, retry }) => [sequence, retry]), [[1, true], [2, true], [
    0,
    false,
  ]]);
  assertEquals(second!.clientId, first!.clientId);
  assertEquals(second!.clientId.length, 16);
  assertEquals(second!.lowestUnfinished, 1);
  await world.run(client.put(KEY_A, "3"));
  assertEquals(node.batches.at(-1)!.lowestUnfinished, 3);
});

Deno.test("a node that owes answers and answers no ping: the stream is given up, and all done again", async () => {
  const { world, nodes, client } = await cluster();
  const node = nodes[0];
  await world.run(client.get(KEY_A));
  const put = client.put(KEY_A, "1", { timeoutMs: 20_000 });
  await world.runMs(0);
  node.process.pause();
  await world.runMs(3000);
  node.process.resume();
  // What was on its way is handled twice; the owner must know a retry when it sees one.
  await world.run(put);
  assertEquals(node.streams, 2);
  assertEquals(node.operations.filter(({ sequence }) => sequence === 1).map(({ retry }) => retry), [
    false,
    true,
  ]);
});

Deno.test("a node that owes answers and answers pings is waited for", async () => {
  const { world, nodes, client } = await cluster();
  const node = nodes[0];
  node.script = () => "silence";
  const get = client.get(KEY_A, { timeoutMs: 4000 });
  await assertRejects(() => world.run(get), KvError, "get not answered within 4000 ms");
  assertEquals(node.operations.length, 1);
  assertEquals(node.streams, 1);
  assert(node.pings >= 4);
});

Deno.test("another node at the owner's address gets nothing", async () => {
  const { world, nodes, client } = await cluster();
  const [a, b] = nodes;
  a.kill();
  const stranger = b;
  Object.assign(stranger, { node: { ...b.node, address: a.node.address } });
  await stranger.start();
  const put = client.put(KEY_A, "1");
  await assertRejects(
    () => world.run(put),
    KvError,
    `another node, ${b.node.ref.id}, answers at ${a.node.address}`,
  );
  assertEquals(stranger.operations.length, 0);
});

Deno.test("an unavailable slot does not hold up the others", async () => {
  const { world, nodes, client } = await cluster();
  nodes[0].script = () => "unavailable";
  const stuck = client.put(KEY_A, "1", { timeoutMs: 2000 });
  await world.run(client.put(KEY_B, "1"));
  assertEquals((await world.run(client.get(KEY_B)))?.version, 1);
  const error = await assertRejects(() => world.run(stuck), KvError, "scripted unavailable");
  assertEquals(error.code, "unavailable");
  assert(nodes[0].operations.length > 5, "retried with backoff");
});

Deno.test("a forgotten client goes on under a new id", async () => {
  const { world, nodes, client } = await cluster();
  await world.run(client.put(KEY_A, "1"));
  const forgotten = text(nodes[0].batches[0]!.clientId);
  nodes[0].script = (_, { clientId }) => text(clientId) === forgotten ? "client-forgotten" : undefined;
  const results = await world.run(client.putMany([[KEY_A, "2"], [KEY_A, "3"]]));
  assertEquals(results.map(({ outcome }) => outcome), ["updated", "updated"]);
  const last = nodes[0].batches.at(-1)!;
  assertNotEquals(text(last.clientId), forgotten);
  assertEquals(last.operations.map(({ sequence, retry }) => [sequence, retry]), [[1, false], [2, false]]);
  assertEquals(last.lowestUnfinished, 1);
});

Deno.test("a message carries the writes of one client id", async () => {
  const { world, nodes, client } = await cluster();
  const node = nodes[0];
  await world.run(client.put(KEY_A, "0"));
  const old = text(node.batches[0]!.clientId);
  // Of two writes one goes on under a new id; then the stream breaks, and both are sent again in one turn.
  node.script = ({ kind, value }, { clientId }) => {
    if (kind === OperationKind.GET) return "break";
    return text(value) === "2" && text(clientId) === old ? "client-forgotten" : "silence";
  };
  const puts = client.putMany([[KEY_A, "1"], [KEY_A, "2"]]);
  await world.runUntil(() => node.operations.length === 4);
  const get = client.get(KEY_A);
  await world.runUntil(() => node.operations.length === 5);
  node.script = () => undefined;
  const before = node.batches.length;
  assertEquals((await world.run(puts)).map(({ outcome }) => outcome), ["updated", "updated"]);
  await world.run(get);
  const ids = node.batches.slice(before).flatMap(({ clientId, operations }) =>
    operations.filter(({ sequence }) => sequence > 0)
      .map(({ value, retry }) => [text(value), text(clientId) === old, retry])
  );
  assertEquals(ids, [["1", true, true], ["2", false, true]]);
});

Deno.test("an answer that cannot be understood is no success", async () => {
  const { world, nodes, client } = await cluster();
  nodes[0].script = () => ({ outcome: Outcome.OUTCOME_UNSPECIFIED });
  const error = await assertRejects(
    () => world.run(client.put(KEY_A, "1")),
    KvError,
    "outcome 0 is not known",
  );
  assertEquals(error.code, "outcome-unknown");
});
