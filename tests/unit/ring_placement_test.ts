import { assert, assertEquals } from "@std/assert";
import { nextLabel } from "../../core/ring/labels.ts";
import { ruleOwners } from "../../core/ring/placement.ts";
import { isPrime } from "../../core/ring/primes.ts";
import { Seeded } from "./seeded.ts";

const MSNS = Array.from({ length: 1022 }, (_, i) => i).filter((i) => i >= 13 && isPrime(i));

/** The owner by the words of the rule: the least (distance, label) of all labels. */
function naiveOwner(slot: number, labels: readonly number[], msn: number): number {
  let best = -1;
  let bestDistance = Infinity;
  for (let label = 0; label < msn; label++) {
    if (!labels.includes(label)) continue;
    let distance = 0;
    while ((slot + distance) % msn !== label && (slot - distance + msn) % msn !== label) distance++;
    if (distance < bestDistance) [best, bestDistance] = [label, distance];
  }
  return best;
}

/** The next label by walking round the ring from every label to the next one. */
function naiveNextLabel(labels: readonly number[], msn: number): number | undefined {
  if (labels.length === 0) return 0;
  const gaps = labels.map((start) => {
    let gap = 1;
    while (!labels.includes((start + gap) % msn)) gap++;
    return { start, gap };
  });
  gaps.sort((a, b) => b.gap - a.gap || a.start - b.start);
  const { start, gap } = gaps[0]!;
  return gap < 2 ? undefined : (start + Math.floor(gap / 2)) % msn;
}

function randomMembership(random: Seeded, msnMax: number): { msn: number; labels: number[] } {
  const msn = random.pick(MSNS.filter((prime) => prime <= msnMax));
  const few = random.below(2) === 0;
  return { msn, labels: random.sample(1 + random.below(few ? 6 : msn), msn) };
}

Deno.test("labels: 0, 68, 102 and so on at 137 seats", () => {
  const labels: number[] = [];
  for (const expected of [0, 68, 102, 34, 119, 17]) {
    assertEquals(nextLabel(labels, 137), expected);
    labels.push(expected);
  }
});

Deno.test("labels: of equal gaps the one that starts lowest, also over the seam", () => {
  assertEquals(nextLabel([0, 5, 10], 13), 2);
  assertEquals(nextLabel([8, 3, 0], 13), 5);
  assertEquals(nextLabel([0, 1, 2, 3, 4, 5], 13), 9);
  assertEquals(nextLabel([5, 6, 7, 8, 9, 10, 11, 12], 13), 2);
  assertEquals(nextLabel([3, 4, 5, 6, 7, 8], 13), 12);
});

Deno.test("labels: against the naive twin over random memberships", () => {
  const random = new Seeded(3);
  for (let run = 0; run < 2000; run++) {
    const { msn, labels } = randomMembership(random, 101);
    assertEquals(nextLabel(labels, msn), naiveNextLabel(labels, msn), `${msn}: ${labels}`);
  }
});

Deno.test("labels: msn nodes fill every ring, and one more finds no seat", () => {
  for (const msn of [13, 17, 137, 509, 1021]) {
    const labels: number[] = [];
    for (let count = 0; count < msn; count++) {
      const label = nextLabel(labels, msn);
      assert(label !== undefined && label >= 0 && label < msn && !labels.includes(label), `${msn}: ${label}`);
      labels.push(label);
    }
    assertEquals(nextLabel(labels, msn), undefined);
  }
});

Deno.test("placement: two labels, and a tie goes to the smaller one", () => {
  const owners = ruleOwners([68, 0], 137);
  assertEquals([34, 2, 85, 46, 105, 130, 134].map((slot) => owners[slot]), [0, 0, 68, 68, 0, 0, 0]);
  assertEquals(ruleOwners([1, 12], 13)[0], 1);
});

Deno.test("placement: no label, no owner", () => {
  assertEquals(ruleOwners([], 13), new Int32Array(13).fill(-1));
});

Deno.test("placement: against the naive twin over random memberships", () => {
  const random = new Seeded(4);
  for (let run = 0; run < 1500; run++) {
    const { msn, labels } = randomMembership(random, 61);
    const expected = Int32Array.from({ length: msn }, (_, slot) => naiveOwner(slot, labels, msn));
    assertEquals(ruleOwners(labels, msn), expected, `${msn}: ${labels}`);
  }
});

Deno.test("placement: every slot has one owner, which is a label, and every label owns its own seat", () => {
  const random = new Seeded(5);
  for (let run = 0; run < 3000; run++) {
    const { msn, labels } = randomMembership(random, 1021);
    const owners = ruleOwners(labels, msn);
    const known = new Set(labels);
    assertEquals(owners.length, msn);
    assert(owners.every((owner) => known.has(owner)), `${msn}: ${labels}`);
    assert(labels.every((label) => owners[label] === label), `${msn}: ${labels}`);
  }
});

Deno.test("placement: a joining label moves only slots that become its own, a leaving one only its own", () => {
  const random = new Seeded(6);
  for (let run = 0; run < 3000; run++) {
    const { msn, labels } = randomMembership(random, 1021);
    const joining = nextLabel(labels, msn);
    if (joining === undefined) continue;
    const without = ruleOwners(labels, msn);
    const joined = ruleOwners([...labels, joining], msn);
    assert(joined.some((owner) => owner === joining));
    const moved = joined.findIndex((owner, slot) => owner !== joining && owner !== without[slot]);
    assertEquals(moved, -1, `slot ${moved} of ${msn}: ${labels} + ${joining}`);
  }
});

Deno.test("placement: labels given one by one keep the shares within a factor of about two", () => {
  const labels: number[] = [];
  for (let count = 1; count <= 64; count++) {
    labels.push(nextLabel(labels, 1021)!);
    const shares = new Map<number, number>();
    for (const owner of ruleOwners(labels, 1021)) shares.set(owner, (shares.get(owner) ?? 0) + 1);
    const most = Math.max(...shares.values());
    const least = Math.min(...shares.values());
    assert(most <= 2 * least + 2, `${count} nodes: from ${least} to ${most} slots`);
  }
});
