import { assert, assertEquals } from "@std/assert";
import { type Decision, reconcile } from "../../core/cluster/reconcile.ts";
import type { Registered } from "../../core/cluster/registration.ts";
import { checkRing } from "../../core/ring/check.ts";
import { createRing } from "../../core/ring/document.ts";
import { ruleOwners } from "../../core/ring/placement.ts";
import type { Ring } from "../../core/ring/ring.ts";

const SETTINGS = { msn: 137, hash: "fnv1a32", levels: 2 } as const;

function node(id: string, incarnation = 1, address = `${id}:1`): Registered {
  return { ref: { id, incarnation }, address, path: `/kv/data/${address}`, version: 0 };
}

/** The ring after the decision, as the master would write it. */
function decided(ring: Ring, decision: Decision): Ring {
  assert(decision.kind === "write" || decision.kind === "join", `decided ${decision.kind}`);
  const change = decision.kind === "write" ? decision.change : decision.join.change;
  const next = { ...ring, ...change, version: ring.version + 1 };
  checkRing(next);
  return next;
}

/** Lets the nodes join one after the other. */
function ringOf(...nodes: Registered[]): Ring {
  let ring = createRing(SETTINGS, "cluster", "m", "n");
  for (const [i] of nodes.entries()) ring = decided(ring, reconcile(ring, nodes.slice(0, i + 1)));
  return ring;
}

Deno.test("reconcile: the first node takes label 0 and every slot, with nobody to ask", () => {
  const ring = createRing(SETTINGS, "cluster", "m", "n");
  const decision = reconcile(ring, [node("a")]);
  assert(decision.kind === "join");
  assertEquals(decision.join.label, 0);
  assertEquals(decision.join.givenBy, []);
  const next = decided(ring, decision);
  assert(next.slots.every((entry) => entry.owner?.id === "a" && entry.epoch === 1 && entry.isr.length === 1));
  assertEquals(reconcile(next, [node("a")]), { kind: "nothing" });
});

Deno.test("reconcile: later nodes take labels 68 and 102 and the slots nearest to them, and their givers are asked", () => {
  const [a, b, c] = [node("a"), node("b"), node("c")];
  const two = ringOf(a, b);
  assertEquals(two.nodes.map((n) => n.label), [0, 68]);
  const decision = reconcile(two, [a, b, c]);
  assert(decision.kind === "join");
  assertEquals(decision.join.label, 102);
  const three = decided(two, decision);
  const owners = ruleOwners([0, 68, 102], SETTINGS.msn);
  const byLabel = new Map(three.nodes.map((n) => [n.label, n.ref.id]));
  assertEquals(three.slots.map((e) => e.owner?.id), [...owners].map((label) => byLabel.get(label)));
  const asked = decision.join.givenBy.flatMap(({ slots }) => slots).toSorted((x, y) => x - y);
  const moved = three.slots.flatMap((entry, slot) => entry.owner?.id === "c" ? [slot] : []);
  assertEquals(asked, moved);
  for (const slot of moved) assertEquals(three.slots[slot]!.epoch, two.slots[slot]!.epoch + 1);
});

Deno.test("reconcile: a restarted node is listed again, at its new address, in a higher epoch", () => {
  const ring = ringOf(node("a"), node("b"));
  const back = node("b", 2, "b:9");
  const next = decided(ring, reconcile(ring, [node("a"), back]));
  for (const [slot, entry] of next.slots.entries()) {
    const before = ring.slots[slot]!;
    const own = before.owner?.id === "b";
    assertEquals(entry.owner, own ? back.ref : before.owner);
    assertEquals(entry.epoch, before.epoch + (own ? 1 : 0));
    assertEquals(entry.isrSeq, before.isrSeq + (own ? 1 : 0));
  }
  assertEquals(next.nodes.find((n) => n.ref.id === "b")?.address, "b:9");
});

Deno.test("reconcile: a registration left over from an earlier incarnation changes nothing", () => {
  const ring = decided(ringOf(node("a")), reconcile(ringOf(node("a")), [node("a", 3, "a:3")]));
  assertEquals(reconcile(ring, [node("a", 2, "a:2")]), { kind: "nothing" });
  assertEquals(reconcile(ring, [node("a", 2, "a:2"), node("a", 3, "a:3")]), { kind: "nothing" });
});

Deno.test("reconcile: a node that is away keeps its seat and its slots", () => {
  const ring = ringOf(node("a"), node("b"));
  assertEquals(reconcile(ring, [node("a")]), { kind: "nothing" });
  assertEquals(reconcile(ring, []), { kind: "nothing" });
});

Deno.test("reconcile: one node more than there are seats is refused with the bound, and only it", () => {
  const settings = { ...SETTINGS, msn: 13 };
  const nodes = Array.from({ length: 14 }, (_, i) => node(`n${i}`));
  let ring = createRing(settings, "cluster", "m", "n");
  for (let i = 1; i <= 13; i++) ring = decided(ring, reconcile(ring, nodes.slice(0, i)));
  assertEquals(new Set(ring.nodes.map((n) => n.label)).size, 13);
  const decision = reconcile(ring, nodes);
  assert(decision.kind === "refuse");
  assertEquals(decision.candidate.ref.id, "n13");
  assert(decision.reason.includes("all 13 seats"));
  assertEquals(reconcile(ring, [...nodes.slice(0, 13), { ...nodes[13]!, refused: "full" }]), {
    kind: "nothing",
  });
});
