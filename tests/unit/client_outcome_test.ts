import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { Outcome } from "../../proto/gen/kv/v1/kv.ts";
import { KvError } from "../../core/platform/errors.ts";
import { timeOfUuidV7 } from "../../core/platform/random.ts";
import { type Action, cluster, KEY_A, ringOf, slotOf } from "./client_world.ts";

const CREATED: Action = { outcome: Outcome.CREATED, version: 5, epoch: 2 };

interface Story {
  /** What the owner does with the first sending, the second, and so on; the last one is repeated. */
  readonly actions: readonly Action[];
  readonly ends: string;
  /** Retry flags of the sendings, as many as are worth looking at. */
  readonly retries?: readonly boolean[];
  /** How many sendings there are, where it matters. */
  readonly sendings?: number;
}

/** The table of `operation.ts`, row by row. */
const WRITES: readonly Story[] = [
  { actions: [CREATED], ends: "created", retries: [false] },
  { actions: ["unavailable", CREATED], ends: "created", retries: [false, false] },
  { actions: ["wrong-owner", CREATED], ends: "created", retries: [false, false] },
  { actions: ["damaged", CREATED], ends: "created", retries: [false, false] },
  { actions: ["break", CREATED], ends: "created", retries: [false, true] },
  { actions: ["break", "unavailable", CREATED], ends: "created", retries: [false, true, true] },
  { actions: ["outcome-unknown", CREATED], ends: "created", retries: [false, true] },
  { actions: ["unreachable", CREATED], ends: "created", retries: [false, true] },
  { actions: ["client-forgotten", CREATED], ends: "created", retries: [false, false] },
  { actions: ["unavailable", "client-forgotten", CREATED], ends: "created", retries: [false, false, false] },

  { actions: ["disk-full"], ends: "disk-full" },
  { actions: ["too-large"], ends: "too-large" },
  { actions: ["invalid"], ends: "invalid" },
  { actions: ["refused"], ends: "refused" },
  { actions: ["damaged"], ends: "damaged" },
  { actions: ["not-authorised"], ends: "not-authorised" },
  { actions: ["unavailable", "disk-full"], ends: "disk-full" },
  { actions: ["unavailable"], ends: "unavailable" },
  { actions: ["wrong-owner"], ends: "unavailable" },

  { actions: ["internal"], ends: "outcome-unknown" },
  { actions: ["silence"], ends: "outcome-unknown" },
  { actions: ["break"], ends: "outcome-unknown" },
  { actions: ["outcome-unknown"], ends: "outcome-unknown" },
  { actions: ["break", "unavailable"], ends: "outcome-unknown" },
  { actions: ["break", "wrong-owner"], ends: "outcome-unknown" },
  { actions: ["break", "disk-full"], ends: "outcome-unknown", sendings: 2 },
  { actions: ["break", "damaged"], ends: "outcome-unknown", retries: [false, true, true] },
  { actions: ["break", "invalid"], ends: "outcome-unknown", sendings: 2 },
  { actions: ["break", "refused"], ends: "outcome-unknown", sendings: 2 },
  { actions: ["break", "client-forgotten"], ends: "outcome-unknown", sendings: 2 },
  { actions: ["unavailable", "silence"], ends: "outcome-unknown", retries: [false, false] },
];

const GETS: readonly Story[] = [
  { actions: [{ found: false }], ends: "not found" },
  { actions: ["break", { found: false }], ends: "not found" },
  { actions: ["unavailable", { found: true, version: 1 }], ends: "found" },
  { actions: ["outcome-unknown", { found: true, version: 1 }], ends: "found" },
  { actions: ["silence"], ends: "unavailable" },
  { actions: ["break"], ends: "unavailable" },
  { actions: ["damaged", { found: true, version: 1 }], ends: "found" },
  { actions: ["damaged"], ends: "damaged" },
  { actions: ["internal"], ends: "internal" },
];

function titleOf({ actions, ends }: Story): string {
  const words = actions.map((action) => typeof action === "string" ? action : "a result");
  return `${words.join(", ")}: ${ends}`;
}

async function tell(
  kind: "put" | "get",
  { actions, ends, retries, sendings: expected }: Story,
): Promise<void> {
  const { world, nodes, client } = await cluster();
  let sendings = 0;
  nodes[0].script = () => actions[Math.min(sendings++, actions.length - 1)];
  const ended = kind === "put"
    ? client.put(KEY_A, "1", { timeoutMs: 1500 }).then(({ outcome }) => outcome)
    : client.get(KEY_A, { timeoutMs: 1500 }).then((found) => found ? "found" : "not found");
  assertEquals(await world.run(ended.catch((error: KvError) => error.code)), ends);
  assert(sendings >= actions.length, "the story was told to its end");
  assertEquals(sendings, expected ?? sendings);
  const flags = nodes[0].operations.map(({ retry }) => retry);
  assertEquals(flags.slice(0, retries?.length ?? 0), retries ?? []);
  await world.runMs(2000);
  assertEquals(sendings, nodes[0].operations.length);
  assertEquals(flags.length, sendings, "nothing is sent after the end");
}

for (const story of WRITES) Deno.test(`a write meets ${titleOf(story)}`, () => tell("put", story));
for (const story of GETS) Deno.test(`a get meets ${titleOf(story)}`, () => tell("get", story));

Deno.test("a write for a node that is down was never sent: nothing was written", async () => {
  const { world, nodes, client } = await cluster();
  nodes[0].kill();
  const error = await world.run(client.put(KEY_A, "1").catch((error: KvError) => error)) as KvError;
  assertEquals(error.code, "unavailable");
  assertEquals(error.fields.slot, slotOf(KEY_A));
  const { label, ref, address } = nodes[0].node;
  const owner = `slot ${slotOf(KEY_A)}, label ${label}, node ${ref.id} at ${address}`;
  assertStringIncludes(
    error.message,
    `put not answered within 5000 ms: ${owner}: connection to ${address} refused`,
  );
  assertStringIncludes(error.message, "nothing was written");
});

Deno.test("a write that was sent before the node died may have taken effect", async () => {
  const { world, nodes, client } = await cluster();
  nodes[0].script = () => "silence";
  const put = client.put(KEY_A, "1").catch((error: KvError) => error);
  await world.runUntil(() => nodes[0].operations.length === 1);
  nodes[0].kill();
  const error = await world.run(put) as KvError;
  assertEquals(error.code, "outcome-unknown");
  assertStringIncludes(error.message, "the put may have taken effect, or still may");
  assertEquals(error.fields.slot, slotOf(KEY_A));
});

Deno.test("operations that meet a damaged copy go to the owner that takes over", async () => {
  const { world, nodes: [a, b], masters, client } = await cluster();
  a.script = () => "damaged";
  const put = client.put(KEY_A, "1");
  const get = client.get(KEY_A);
  await world.runUntil(() => a.operations.length > 2);
  for (const each of [...masters, b]) each.offer(ringOf(2, [a.node, b.node], () => b.node));
  assertEquals([(await world.run(put)).outcome, (await world.run(get))?.version], ["created", 1]);
});

Deno.test("an operation waits for its node to come back", async () => {
  const { world, nodes, client } = await cluster();
  nodes[0].kill();
  const put = client.put(KEY_A, "1");
  await world.runMs(2000);
  await nodes[0].restart();
  assertEquals((await world.run(put)).outcome, "created");
  assertEquals(nodes[0].operations.map(({ retry }) => retry), [false]);
});

Deno.test("the result of an earlier sending counts, and the later one is forgotten", async () => {
  const { world, masters, nodes, client } = await cluster();
  const [a, b] = nodes;
  // The old owner answers slowly, and the new one not at all.
  world.network.settings.latencyMsMin = 50;
  b.script = () => "silence";
  await world.run(client.get(KEY_A));
  const put = client.put(KEY_A, "1");
  await world.runUntil(() => a.operations.length === 2);
  await world.runMs(1);
  // Both nodes stay in the ring, so the stream to the old owner stays open.
  world.network.settings.latencyMsMin = 1;
  masters[0].offer(ringOf(2, [a.node, b.node], () => b.node));
  assertEquals((await world.run(put)).outcome, "created");
  assertEquals(b.operations.map(({ retry }) => retry), [true]);
});

Deno.test("the error of an earlier sending settles it, and the later one goes on", async () => {
  const { world, masters, nodes, client } = await cluster();
  const [a, b] = nodes;
  await world.run(client.get(KEY_A));
  a.script = () => "disk-full";
  let answered = false;
  b.script = () => answered ? undefined : "silence";
  world.network.settings.latencyMsMin = 50;
  const put = client.put(KEY_A, "1", { timeoutMs: 2000 }).catch((error: KvError) => error.code);
  await world.runUntil(() => a.operations.length === 2);
  // The answer of the old owner is on its way when the ring names the new one.
  world.network.settings.latencyMsMin = 1;
  masters[0].offer(ringOf(2, [a.node, b.node], () => b.node));
  await world.runMs(500);
  assertEquals(b.operations.map(({ retry }) => retry), [true]);
  // Only the sending to the new owner is open now. When its stream breaks, the retry is answered.
  answered = true;
  b.kill();
  await b.restart();
  assertEquals(
    await world.run(put.then((result) => typeof result === "string" ? result : result.outcome)),
    "created",
  );
  assertEquals(b.operations.map(({ retry }) => retry), [true, true]);
});

Deno.test("'nothing changed' of an earlier sending is ignored: the later one may have been executed", async () => {
  const { world, masters, nodes, client } = await cluster();
  const [a, b] = nodes;
  await world.run(client.get(KEY_A));
  a.script = () => ({ outcome: Outcome.CONDITION_FAILED, version: 3, epoch: 1 });
  world.network.settings.latencyMsMin = 50;
  const put = client.put(KEY_A, "1", { ifAbsent: true });
  await world.runUntil(() => a.operations.length === 2);
  await world.runMs(1);
  // The old owner's "condition failed" is on its way when the new owner executes the retry, and answers later.
  world.network.settings.latencyMsMin = 1;
  b.script = () => {
    world.network.settings.latencyMsMin = 100;
    return CREATED;
  };
  masters[0].offer(ringOf(2, [a.node, b.node], () => b.node));
  assertEquals((await world.run(put)).outcome, "created");
});

Deno.test("a forgotten client whose clock is behind takes an id above those that were forgotten", async () => {
  const { world, nodes, client } = await cluster();
  const aboveMs = Date.UTC(2100, 0);
  nodes[0].script = (_operation, { clientId }) =>
    timeOfUuidV7(clientId) > aboveMs
      ? CREATED
      : new KvError("client-forgotten", "idle", { clientIdAboveMs: aboveMs });
  assertEquals((await world.run(client.put(KEY_A, "1"))).outcome, "created");
});
