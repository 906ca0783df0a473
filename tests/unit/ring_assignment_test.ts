/** Even shares of the slots: as even as can be, with as few moves as can be, against definitions and brute force. */

import { assert, assertEquals, assertStrictEquals } from "@std/assert";
import { evenedOut, keptEven, rebalanced } from "../../core/ring/assignment.ts";
import { createRing, ringFromJson, ringToJson } from "../../core/ring/document.ts";
import { placementOf } from "../../core/ring/followers.ts";
import { nextLabel } from "../../core/ring/labels.ts";
import { withNode, withoutMember } from "../../core/ring/members.ts";
import { ruleOwners } from "../../core/ring/placement.ts";
import { isPrime } from "../../core/ring/primes.ts";
import type { Ring, RingNode } from "../../core/ring/ring.ts";
import { Seeded } from "./seeded.ts";

const PRIMES = Array.from({ length: 1022 }, (_, i) => i).filter((i) => i >= 13 && isPrime(i));

function sharesOf(assigned: readonly number[], labels: readonly number[]): number[] {
  return labels.map((label) => assigned.filter((each) => each === label).length);
}

function assertEven(assigned: readonly number[], labels: readonly number[], what: string): void {
  const shares = sharesOf(assigned, labels);
  assert(Math.max(...shares) - Math.min(...shares) <= 1, `${what}: shares ${shares}`);
  assertEquals(shares.reduce((sum, share) => sum + share, 0), assigned.length, what);
}

/** The fewest moves by counting: all that lies nowhere, and what each share has too much, the largest keeping one more. */
function fewestMoves(from: readonly number[], labels: readonly number[]): number {
  const shares = sharesOf(from, labels).toSorted((a, b) => b - a);
  const least = Math.floor(from.length / labels.length);
  const larger = from.length % labels.length;
  const lost = from.filter((label) => !labels.includes(label)).length;
  return shares.reduce((sum, share, i) => sum + Math.max(0, share - least - (i < larger ? 1 : 0)), lost);
}

function moved(from: readonly number[], to: readonly number[]): number[] {
  return [...to.keys()].filter((slot) => from[slot] !== to[slot]);
}

function randomLabels(random: Seeded, msnMax = 1021): { msn: number; labels: number[] } {
  const msn = random.pick(PRIMES.filter((prime) => prime <= msnMax));
  return {
    msn,
    labels: random.sample(1 + random.below(random.below(2) === 0 ? 8 : Math.min(msn, 200)), msn),
  };
}

Deno.test("even shares: against all assignments of a small ring", () => {
  const random = new Seeded(11);
  for (let run = 0; run < 60; run++) {
    const labels = random.sample(1 + random.below(3), 7);
    const from = Array.from({ length: 7 }, () => random.below(7));
    let fewest = Infinity;
    for (let code = 0; code < labels.length ** 7; code++) {
      const to = from.map((_, slot) => labels[Math.floor(code / labels.length ** slot) % labels.length]!);
      const shares = sharesOf(to, labels);
      if (Math.max(...shares) - Math.min(...shares) > 1) continue;
      fewest = Math.min(fewest, moved(from, to).length);
    }
    const to = evenedOut(from, labels);
    assertEven(to, labels, `${from} for ${labels}`);
    assertEquals(moved(from, to).length, fewest, `${from} for ${labels}`);
  }
});

Deno.test("even shares: thousands of memberships by the rule, one slot apart at most, with the fewest moves", () => {
  const random = new Seeded(12);
  for (let run = 0; run < 3000; run++) {
    const { msn, labels } = randomLabels(random);
    const from = Array.from(ruleOwners(labels, msn));
    const to = evenedOut(from, labels);
    const what = `${msn}: ${labels}`;
    assertEven(to, labels, what);
    assertEquals(moved(from, to).length, fewestMoves(from, labels), what);
    assertStrictEquals(evenedOut(to, labels), to, "what is even stays as it is");
  }
});

Deno.test("even shares: who joins gets its share and nothing else moves, who leaves gives away only its own", () => {
  const random = new Seeded(13);
  for (let run = 0; run < 300; run++) {
    const { msn, labels } = randomLabels(random, 211);
    let assigned = evenedOut(Array.from(ruleOwners(labels, msn)), labels);
    for (let step = 0; step < 20; step++) {
      const before = assigned;
      const joining = random.below(2) === 0 ? nextLabel(labels, msn) : undefined;
      if (joining !== undefined) {
        labels.push(joining);
        assigned = evenedOut(before, labels);
        const gone = moved(before, assigned);
        assertEquals(gone.length, Math.floor(msn / labels.length));
        assert(gone.every((slot) => assigned[slot] === joining));
      } else if (labels.length > 1) {
        const [leaving] = labels.splice(random.below(labels.length), 1);
        assigned = evenedOut(before, labels);
        assertEquals(moved(before, assigned), [...before.keys()].filter((slot) => before[slot] === leaving));
      }
      assertEven(assigned, labels, `${msn}: ${labels}`);
    }
  }
});

Deno.test("even shares: a slot that moves goes to the nearest label that has room", () => {
  assertEquals(evenedOut([0, 0, 0, 0, 9, 0, 0, 0, 0, 0, 0, 0, 0], [0, 3, 10]), [
    ...[0, 0, 0, 3, 3, 3, 3, 10, 10, 10, 10, 0, 0],
  ]);
});

const SETTINGS = { msn: 137, hash: "fnv1a32", levels: 2 } as const;

function node(id: string, label: number): RingNode {
  return { ref: { id, incarnation: 1 }, address: `${id}:1`, label, leaving: false };
}

/** Data nodes with the labels that they get one after the other, each owning what the rule wants. */
function ringOf(count: number): Ring {
  let ring = createRing(SETTINGS, "cluster", "writer", "nonce");
  for (let i = 0; i < count; i++) {
    ring = settled(withNode(ring, node(`n${i}`, nextLabel(ring.nodes.map(({ label }) => label), 137)!)));
  }
  return ring;
}

/** After all hand-overs, as the next writer leaves it. */
function settled(ring: Ring): Ring {
  const { wanted } = placementOf(ring);
  const slots = ring.slots.map((entry, slot) => {
    const owner = wanted[slot]!.ref;
    return { owner, epoch: entry.epoch + 1, isr: [owner], isrSeq: entry.isrSeq + 1 };
  });
  return { ...ring, assigned: keptEven(ring), slots };
}

function ring(result: Ring | string): Ring {
  assert(typeof result === "object", String(result));
  return result;
}

function ownedBy({ slots, nodes }: Ring): number[] {
  return nodes.map(({ ref }) => slots.filter(({ owner }) => owner?.id === ref.id).length);
}

Deno.test("rebalanced: the ring records it, joins and leaves keep it, and the way back is the rule", () => {
  const byRule = ringOf(3);
  assertEquals(ownedBy(byRule), [52, 51, 34]);
  const even = settled(ring(rebalanced(byRule, false)));
  assertEquals(ownedBy(even).toSorted(), [45, 46, 46]);
  assertStrictEquals(rebalanced(even, false), even);
  assertEquals(ringFromJson(ringToJson(even)), even);
  assert(JSON.parse(ringToJson(even)).assigned.length <= 8, "neighbours of one label are one run");
  const joined = settled(withNode(even, node("new", 34)));
  assertEquals(ownedBy(joined).toSorted(), [34, 34, 34, 35]);
  assertEquals(
    joined.slots.filter(({ owner }, slot) => owner?.id !== even.slots[slot]!.owner?.id).length,
    34,
  );
  const left = settled(ring(withoutMember(joined, { id: "n0", incarnation: 1 })));
  assertEquals(ownedBy(left).toSorted(), [0, 45, 46, 46]);
  const undone = settled(ring(rebalanced(joined, true)));
  assertEquals(undone.assigned, []);
  assertEquals(placementOf(undone).wanted, placementOf({ ...joined, assigned: [] }).wanted);
  assertStrictEquals(rebalanced(undone, true), undone);
});

Deno.test("rebalanced: from where the slots are, also when some of them are still on their way", () => {
  const three = ringOf(3);
  const joining = withNode(three, node("new", 34));
  const even = ring(rebalanced(joining, false));
  const { wanted } = placementOf(even);
  const moves = even.slots.filter(({ owner }, slot) => owner?.id !== wanted[slot]?.ref.id).length;
  // The new one gets 34, and of the others the largest keeps 35: 17 of 52, 17 of 51, none of 34.
  assertEquals(moves, 34);
});

Deno.test("rebalanced: without a data node there is nothing to even out, and leaving nodes get nothing", () => {
  assertEquals(typeof rebalanced(createRing(SETTINGS, "cluster", "writer", "nonce"), false), "string");
  const leaving = ring(withoutMember(ringOf(3), { id: "n1", incarnation: 1 }));
  const even = ring(rebalanced(leaving, false));
  assertEquals(sharesOf(even.assigned, even.nodes.map(({ label }) => label)), [69, 0, 68]);
});
