import { assert, assertEquals, assertMatch, assertStrictEquals, assertThrows } from "@std/assert";
import { KvError } from "../../core/platform/errors.ts";
import { checkRing } from "../../core/ring/check.ts";
import {
  createRing,
  ringFromJson,
  ringFromMessage,
  ringToJson,
  ringToMessage,
} from "../../core/ring/document.ts";
import { documentBytesAtWorst, tooLarge } from "../../core/ring/document_size.ts";
import { nextLabel } from "../../core/ring/labels.ts";
import { ruleOwners } from "../../core/ring/placement.ts";
import type { NodeRef, Ring, RingNode, SlotEntry } from "../../core/ring/ring.ts";
import { checkSameSettings } from "../../core/ring/settings.ts";
import { Ring as RingMessage } from "../../proto/gen/kv/v1/ring.ts";
import { Seeded } from "./seeded.ts";

const SETTINGS = { msn: 137, hash: "fnv1a32", levels: 2 } as const;

function uuid(i: number): string {
  return `00000000-0000-4000-8000-${String(i).padStart(12, "0")}`;
}

/** `count` nodes, labelled one by one, each slot owned by the rule. */
function ruleRing(count: number, msn = 137): Ring {
  const base = createRing({ ...SETTINGS, msn }, uuid(999), "127.0.0.1:9666", uuid(998));
  const labels: number[] = [];
  while (labels.length < count) labels.push(nextLabel(labels, msn)!);
  const nodes = labels.toSorted((a, b) => a - b).map((label, i): RingNode => (
    { ref: { id: uuid(i), incarnation: 1 }, address: `127.0.0.1:${40000 + i}`, label, leaving: false }
  ));
  const refs = new Map(nodes.map(({ label, ref }) => [label, ref]));
  const slots = Array.from(ruleOwners(labels, msn), (label): SlotEntry => {
    const owner = refs.get(label)!;
    return { owner, epoch: 1, isr: [owner], isrSeq: 1 };
  });
  return { ...base, version: 2, nodes, slots: count > 0 ? slots : base.slots, previousNonce: uuid(997) };
}

function randomEntry(random: Seeded, refs: readonly NodeRef[]): SlotEntry {
  if (random.below(5) === 0) return { owner: undefined, epoch: 0, isr: [], isrSeq: random.below(3) };
  const isr = random.sample(1 + random.below(refs.length), refs.length).map((i) => refs[i]!);
  const epoch = 1 + random.below(2 ** 45);
  return { owner: random.pick(isr), epoch, isr, isrSeq: random.below(2 ** 45) };
}

function randomRing(random: Seeded): Ring {
  const ring = ruleRing(1 + random.below(6));
  const refs = ring.nodes.map(({ ref }) => ({ ...ref, incarnation: 1 + random.below(9) }));
  const slots: SlotEntry[] = [];
  while (slots.length < 137) {
    const run = randomEntry(random, refs);
    for (let left = 1 + random.below(9); left > 0 && slots.length < 137; left--) {
      slots.push(structuredClone(run));
    }
  }
  return { ...ring, version: 1 + random.below(2 ** 45), slots };
}

Deno.test("document: a new ring has version 1, no nodes and no owners, and is one run", () => {
  const ring = createRing(SETTINGS, "cluster", "127.0.0.1:9666", "nonce");
  checkRing(ring);
  assertEquals([ring.version, ring.nodes.length, ring.slots.length], [1, 0, 137]);
  assertEquals(ringToMessage(ring).slots.map(({ first, last, owner }) => [first, last, owner]), [[
    0,
    136,
    undefined,
  ]]);
});

Deno.test("document: settings that no ring can have are refused, naming what can be", () => {
  const create = (settings: Partial<Ring["settings"]>) => () =>
    createRing({ ...SETTINGS, ...settings }, "cluster", "writer", "nonce");
  assertThrows(
    create({ msn: 100 }),
    KvError,
    "msn 100 is not a prime from 13 to 1021; the nearest are 97 and 101",
  );
  assertThrows(create({ msn: 11 }), KvError, "nearest are 13");
  assertThrows(create({ msn: 1031 }), KvError, "nearest are 1021");
  assertThrows(create({ msn: NaN }), KvError, "msn NaN");
  assertThrows(create({ levels: 5 }), KvError, "levels 5 is not an integer from 1 to 4");
  assertThrows(create({ hash: "md5" as "fnv1a32" }), KvError, 'hash "md5"');
});

Deno.test("document: settings that differ from the cluster's are refused with both values and the way out", () => {
  checkSameSettings(SETTINGS, { ...SETTINGS });
  assertThrows(
    () => checkSameSettings({ ...SETTINGS, msn: 13 }, SETTINGS),
    KvError,
    "msn is 13 in the configuration, but the cluster was created with 137",
  );
  assertThrows(() => checkSameSettings(SETTINGS, { ...SETTINGS, levels: 3 }), KvError, "set levels to 3");
});

Deno.test("document: random rings survive JSON, the message, and its bytes", () => {
  const random = new Seeded(7);
  for (let run = 0; run < 500; run++) {
    const ring = randomRing(random);
    assertEquals(ringFromJson(ringToJson(ring)), ring);
    assertEquals(ringFromMessage(ringToMessage(ring)), ring);
    assertEquals(ringFromMessage(RingMessage.decode(RingMessage.encode(ringToMessage(ring)).finish())), ring);
  }
});

Deno.test("document: runs are as few as can be, without gaps, and share one entry when read", () => {
  const ring = ruleRing(3);
  const runs = ringToMessage(ring).slots;
  assertEquals(runs.map(({ first, last }) => [first, last]), [[0, 34], [35, 85], [86, 119], [120, 136]]);
  const slots = ringFromJson(ringToJson(ring)).slots;
  assertStrictEquals(slots[0], slots[34]);
});

Deno.test("document: neighbours that differ in one field alone are two runs", () => {
  const ring = ruleRing(3);
  const [a, b] = ring.nodes.map(({ ref }) => ref) as [NodeRef, NodeRef];
  const entry: SlotEntry = { owner: a, epoch: 5, isr: [a, b], isrSeq: 7 };
  const others: SlotEntry[] = [
    { ...entry, epoch: 6 },
    { ...entry, isrSeq: 8 },
    { ...entry, owner: b },
    { ...entry, isr: [a] },
    { ...entry, isr: [a, { ...b, incarnation: 2 }] },
  ];
  for (const other of others) {
    const changed = { ...ring, slots: ring.slots.map((_, slot) => slot === 50 ? other : entry) };
    assertEquals(ringToMessage(changed).slots.map(({ first, last }) => [first, last]), [[0, 49], [50, 50], [
      51,
      136,
    ]]);
    assertEquals(ringFromJson(ringToJson(changed)), changed);
  }
});

Deno.test("document: making and reading leaves the argument as it was", () => {
  const ring = ruleRing(4);
  const before = structuredClone(ring);
  ringFromJson(ringToJson(ring));
  assertEquals(ring, before);
});

/** Data nodes on every seat that `count` takes, and standbys. */
function grownRing(msn: number, count: number, standbys: number, replicas = 0): Ring {
  const added = Array.from({ length: standbys }, (_, i) => (
    { ref: { id: uuid(5000 + i), incarnation: 1 }, address: `127.0.0.1:${30000 + i}`, leaving: false }
  ));
  return { ...ruleRing(count, msn), standbys: added, replicas };
}

Deno.test("document: no ring of 137 seats can reach 256 KB, with any number of data nodes and 16 copies of each slot", () => {
  for (const count of [1, 2, 3, 20, 100, 137]) {
    const ring = grownRing(137, count, 16);
    assert(documentBytesAtWorst(ring) < 256 << 10, `${count} nodes: ${documentBytesAtWorst(ring)} bytes`);
    assertEquals(tooLarge(ring), undefined);
  }
});

Deno.test("document: with 1021 seats there is room for 1021 data nodes and 4 copies of each slot, then it is refused", () => {
  assertEquals(tooLarge(grownRing(1021, 1021, 4)), undefined);
  assertEquals(tooLarge(grownRing(1021, 1021, 60, 4)), undefined);
  assertMatch(tooLarge(grownRing(1021, 1021, 60, 6))!, /could grow to 1\d{6} bytes, .* at most 1000000/);
});

Deno.test("document: its worst is above what random rings come to", () => {
  const random = new Seeded(8);
  for (let run = 0; run < 100; run++) {
    const ring = randomRing(random);
    const worst = documentBytesAtWorst({ ...ring, standbys: grownRing(137, 1, 6).standbys });
    assert(ringToJson(ring).length < worst, `${ringToJson(ring).length} and ${worst} bytes`);
  }
});

/** A ring document as parsed JSON, to be spoilt. */
interface Draft {
  [name: string]: unknown;
  settings: Record<string, unknown>;
  nodes: { ref: Record<string, unknown>; [name: string]: unknown }[];
  slots: { owner: Record<string, unknown>; isr: Record<string, unknown>[]; [name: string]: unknown }[];
}

const SPOILS: [string, (draft: Draft) => unknown, string][] = [
  ["no version", (d) => delete d.version, "version 0"],
  ["a version in a string", (d) => d.version = "2", "ring.version"],
  ["a broken version", (d) => d.version = 2.5, "ring.version"],
  ["a version above 2^53", (d) => d.version = 2 ** 53, "version 9007199254740992"],
  ["no cluster", (d) => delete d.clusterId, "clusterId is empty"],
  ["no nonce", (d) => d.nonce = "", "nonce is empty"],
  ["no writer", (d) => d.writer = null, "ring.writer"],
  ["no settings", (d) => delete (d as Partial<Draft>).settings, "settings are missing"],
  ["msn not prime", (d) => d.settings.msn = 135, "msn 135"],
  ["another msn than slots", (d) => d.settings.msn = 139, "137 slots, but msn is 139"],
  ["a smaller msn than slots", (d) => d.settings.msn = 131, "slots 120..136"],
  ["unknown hash", (d) => d.settings.hash = "crc32", "crc32"],
  ["levels 0", (d) => d.settings.levels = 0, "levels 0"],
  ["an unknown field", (d) => d.colour = "red", "ring.colour is not known"],
  ["an unknown field deep inside", (d) => d.slots[1]!.colour = 1, "ring.slots[1].colour is not known"],
  ["nodes no list", (d) => d.nodes = {} as Draft["nodes"], "ring.nodes"],
  ["a node without id", (d) => delete (d.nodes[0] as Partial<Draft["nodes"][0]>).ref, "nodes[0] has no id"],
  ["a node that never started", (d) => d.nodes[1]!.ref.incarnation = 0, "nodes[1].incarnation 0"],
  ["a node without address", (d) => d.nodes[1]!.address = "", "nodes[1].address"],
  ["a label below zero", (d) => d.nodes[0]!.label = -1, "nodes[0].label -1"],
  ["a label off the ring", (d) => d.nodes[2]!.label = 137, "nodes[2].label 137"],
  ["an assignment with a gap", (d) => d.assigned = [{ first: 1, last: 136, label: 0 }], "slots 1..136"],
  ["an assignment cut off", (d) => d.assigned = [{ last: 7 }], "it assigns 8 slots, but msn is 137"],
  ["an assignment off the ring", (d) => d.assigned = [{ last: 136, label: 137 }], "assigned[0] 137"],
  ["two nodes on one seat", (d) => d.nodes[2]!.label = 68, "nodes[2].label 68 is not above"],
  ["nodes out of order", (d) => d.nodes.reverse(), "is not above"],
  ["one node on two seats", (d) => d.nodes[2]!.ref.id = d.nodes[0]!.ref.id, "two seats"],
  [
    "a null among the nodes",
    (d) => d.nodes.push(null as unknown as Draft["nodes"][0]),
    "not a ring document",
  ],
  ["no slots", (d) => d.slots = [], "0 slots"],
  ["a gap between runs", (d) => d.slots[1]!.first = 36, "slots 36..85"],
  ["overlapping runs", (d) => d.slots[1]!.first = 34, "slots 34..85"],
  ["a run backwards", (d) => d.slots[0]!.last = -1, "slots 0..-1"],
  ["a run past the end", (d) => d.slots[3]!.last = 137, "slots 120..137"],
  ["a run missing at the end", (d) => d.slots.pop(), "120 slots"],
  ["an owner outside its isr", (d) => d.slots[1]!.isr = [], "slots[35].isr does not contain the owner"],
  [
    "an owner in isr of another start",
    (d) => d.slots[1]!.isr[0]!.incarnation = 2,
    "does not contain the owner",
  ],
  ["a node twice in isr", (d) => d.slots[1]!.isr.push({ id: uuid(1), incarnation: 2 }), "twice"],
  ["a member without id", (d) => d.slots[1]!.isr.push({ incarnation: 2 }), "slots[35].isr[1].id"],
  ["an owner without epoch", (d) => d.slots[2]!.epoch = 0, "slots[86].epoch 0"],
  ["an epoch below zero", (d) => d.slots[2]!.epoch = -3, "slots[86].epoch -3"],
  ["an isrSeq below zero", (d) => d.slots[2]!.isrSeq = -1, "slots[86].isrSeq -1"],
  ["a copy without owner", (d) => delete (d.slots[0] as Partial<Draft["slots"][0]>).owner, "no owner"],
  [
    "an owner that is text",
    (d) => d.slots[0]!.owner = "me" as unknown as Draft["slots"][0]["owner"],
    "slots[0].owner",
  ],
];

for (const [what, spoil, message] of SPOILS) {
  Deno.test(`document: refused with ${what}`, () => {
    const draft = JSON.parse(ringToJson(ruleRing(3))) as Draft;
    spoil(draft);
    assertThrows(() => ringFromJson(JSON.stringify(draft)), KvError, message);
  });
}

Deno.test("document: text that is no ring is refused", () => {
  for (const text of ["", "{", "null", "[]", "7", '"ring"', "{}"]) {
    assertThrows(() => ringFromJson(text), KvError, "ring");
  }
});
