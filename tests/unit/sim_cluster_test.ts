import { assert, assertEquals } from "@std/assert";
import { createRing } from "../../core/ring/document.ts";
import type { Ring, SlotEntry } from "../../core/ring/ring.ts";
import { ringProblems } from "../sim/invariants/ring.ts";
import { PLANTED } from "../sim/planted.ts";
import { runSeed } from "../sim/run.ts";

const SEEDS = 6;
const OPERATIONS = 400;

Deno.test("simulation: fresh seeds of the whole cluster show no violation", async () => {
  const first = Math.floor(Math.random() * 1e9);
  console.log(`first seed ${first}; replay: deno task sim --operations ${OPERATIONS} --seed ${first}`);
  for (let seed = first; seed < first + SEEDS; seed++) {
    const { violations, gaveUp, operations } = await runSeed(seed, { operations: OPERATIONS });
    assertEquals([...violations, ...gaveUp], [], `seed ${seed}, ${OPERATIONS} operations`);
    assert(operations > 0);
  }
});

Deno.test("simulation: the same seed twice is the same run, line by line", async () => {
  for (const seed of [3, 4]) {
    const traces = [[], []] as string[][];
    const reports = [];
    for (const trace of traces) {
      reports.push(await runSeed(seed, { operations: 300, onTrace: (line) => void trace.push(line) }));
    }
    assertEquals(traces[0], traces[1]);
    assertEquals(reports[0], reports[1]);
    assert(traces[0]!.length > 300);
  }
});

Deno.test("simulation: the place of every planted fault is in the program, once", () => {
  const root = new URL("../../", import.meta.url);
  for (const { name, file, find } of PLANTED) {
    const places = Deno.readTextFileSync(new URL(file, root)).split(find).length - 1;
    assertEquals(places, 1, `"${name}" in ${file}`);
  }
});

const REF = { id: "a", incarnation: 1 };
const OTHER = { id: "b", incarnation: 1 };
const OWNED: SlotEntry = { owner: REF, epoch: 4, isr: [REF], isrSeq: 7 };

function ringOf(version: number, entry: SlotEntry, changes: Partial<Ring> = {}): Ring {
  const empty = createRing({ msn: 13, hash: "fnv1a32", levels: 1 }, "cluster", "writer", "nonce");
  const nodes = [REF, OTHER].map((ref, i) => ({ ref, address: `10.0.0.${i}:1`, label: i, leaving: false }));
  return { ...empty, version, nodes, slots: empty.slots.with(2, entry), previousNonce: "nonce", ...changes };
}

Deno.test("invariants: a good change of the ring has no problems, each bad one is named", () => {
  const before = ringOf(5, OWNED);
  const moved: SlotEntry = { owner: OTHER, epoch: 5, isr: [OTHER], isrSeq: 8 };
  assertEquals(ringProblems(before, ringOf(6, moved)), []);
  assertEquals(ringProblems(undefined, before), []);
  const bad: readonly [Ring, RegExp][] = [
    [ringOf(7, moved), /follows version 5/],
    [ringOf(6, { ...moved, epoch: 4 }), /new owner in the same epoch/],
    [ringOf(6, { ...OWNED, epoch: 3 }), /epoch of slot 2 fell/],
    [ringOf(6, { ...OWNED, isrSeq: 6 }), /isrSeq of slot 2 fell/],
    [ringOf(6, { ...moved, isrSeq: 7 }), /changed in the same isrSeq/],
    [ringOf(6, { ...moved, isr: [REF] }), /not in its ISR/],
    [ringOf(6, moved, { previousNonce: "another" }), /nonce/],
    [ringOf(6, moved, { clusterId: "another" }), /another cluster/],
    [ringOf(6, moved, { settings: { ...before.settings, levels: 2 } }), /other settings/],
    [ringOf(6, moved, { nodes: before.nodes.map((node) => ({ ...node, label: 1 })) }), /the same label/],
    [ringOf(6, moved, { nodes: before.nodes.slice(0, 1) }), /has no seat/],
    [ringOf(6, moved, { slots: before.slots.slice(1) }), /12 slots/],
  ];
  for (const [after, problem] of bad) {
    const found = ringProblems(before, after);
    assert(found.some((text) => problem.test(text)), `${problem}: ${found.join("; ")}`);
  }
});
