/** What an owner says of an old copy, and what the node that has it makes of that. */

import { assert, assertEquals, assertRejects } from "@std/assert";
import type { SlotPosition } from "../../proto/gen/kv/v1/cluster.ts";
import { Copies } from "../../core/cluster/copies.ts";
import { RingKeeper } from "../../core/cluster/ring_keeper.ts";
import { defaultConfig } from "../../core/platform/config.ts";
import { KvError } from "../../core/platform/errors.ts";
import type { Log } from "../../core/platform/ports.ts";
import { letGo, whyKept } from "../../core/replication/letting_go.ts";
import { Promises } from "../../core/replication/promises.ts";
import { RecentRecords } from "../../core/replication/recent_records.ts";
import { SlotOwner } from "../../core/replication/slot_owner.ts";
import { Uncommitted } from "../../core/replication/uncommitted.ts";
import type { NodeRef, Ring, RingNode } from "../../core/ring/ring.ts";
import { SimClock } from "../sim/world/clock.ts";
import { SimDisk } from "../sim/world/disk.ts";
import { SeededRandom } from "../sim/world/random.ts";
import { SimProcess } from "../sim/world/scheduler.ts";
import { ringOf, World } from "./client_world.ts";
import { nextGroup, openOn, put, seeded, SETTINGS, TestClock } from "./storage_world.ts";

const SLOT = 1;
const ASKER: NodeRef = { id: "asker", incarnation: 3 };
const OTHER: NodeRef = { id: "other", incarnation: 1 };
const ISR_SEQ = 5;

/** The owner of a slot in epoch 4, with records of epochs 2, 2, 3 and 4 in its log. */
async function owning(lineage = 0) {
  const clock = new TestClock();
  const engine = await openOn(new SimDisk(clock, seeded(7)));
  const self = { id: engine.nodeId, incarnation: engine.incarnation };
  const promises = new Promises(clock, []);
  const recent = new RecentRecords(1 << 20);
  const uncommitted = new Uncommitted(1 << 20);
  const bounds = { clientsMax: 1, minInSync: 1, uncommitted };
  const parts = { self, engine, clock, ...bounds, promises, recent, began: () => {} };
  for (const epoch of [2, 2, 3]) {
    const { lastLsn } = engine.slot(SLOT);
    const record = {
      kind: 3,
      slot: SLOT,
      epoch,
      lsn: lastLsn + 1,
      key: "",
      hash: 0,
      value: new Uint8Array(0),
    };
    engine.append({ ...record, clientId: "", sequence: 0, lowestUnfinished: 0, outcome: 0 });
  }
  const owner = new SlotOwner(parts, SLOT, 4, lineage);
  const adopt = (isrSeq: number, followers: readonly NodeRef[], inSync: readonly NodeRef[] = []) =>
    owner.adopt({ owner: self, epoch: 4, isr: [self, ...inSync], isrSeq }, followers);
  adopt(ISR_SEQ, []);
  await nextGroup(engine);
  owner.advance();
  assert(owner.canAnswer);
  return { engine, owner, adopt, self };
}

/** A log of so many records, the last ones of these epochs. */
function position(committedLsn: number, runEpochs: number[], runLsns: number[]): SlotPosition {
  return { slot: SLOT, epoch: 4, committedLsn, damaged: false, incomplete: false, runEpochs, runLsns };
}

const GOOD = position(2, [2, 4], [3, 4]);

Deno.test("letting go: an owner refuses what it does not serve just so, and whom it counts or is about to", async () => {
  const { engine, owner, adopt } = await owning();
  const ask = (copy: SlotPosition | undefined, isrSeq = ISR_SEQ) =>
    whyKept(owner, engine, ASKER, { position: copy, isrSeq });
  assertEquals(ask(GOOD), undefined);
  assertEquals(ask(undefined), "it is not said what it has");
  assertEquals(ask({ ...GOOD, runEpochs: [], runLsns: [] }), "it is not said what it has");
  const unserved = "the slot is not served here in that epoch";
  assertEquals(whyKept(undefined, engine, ASKER, { position: GOOD, isrSeq: ISR_SEQ }), unserved);
  for (const epoch of [3, 5]) assertEquals(ask({ ...GOOD, epoch }), unserved);
  for (const isrSeq of [4, 6]) assertEquals(ask(GOOD, isrSeq), "the ring is another one here");
  const followed = "it is in sync, or is to be";
  adopt(ISR_SEQ, [{ ...ASKER, incarnation: 2 }]);
  assertEquals(ask(GOOD), followed, "whichever process of it");
  adopt(ISR_SEQ, [ASKER]);
  assertEquals(ask(GOOD), followed);
  owner.inSync.propose(owner.inSync.followers.find(({ ref }) => ref.id === ASKER.id)!, 0);
  adopt(ISR_SEQ, []);
  assertEquals(ask(GOOD), unserved, "without its promise nothing is served");
  owner.inSync.promised(owner.inSync.followers[0]!, 1e9, 1e9);
  assertEquals(ask(GOOD), followed, "proposed, and no ring has decided");
  adopt(ISR_SEQ + 1, []);
  assertEquals(ask(GOOD, ISR_SEQ + 1), undefined, "proposed in vain");
  owner.close("a test wants it");
  assertEquals(ask(GOOD, ISR_SEQ + 1), unserved);
  await engine.close();
});

Deno.test("letting go: an owner refuses while one that is to have a copy has none yet", async () => {
  const { engine, owner, adopt } = await owning();
  const ask = (copy: SlotPosition) => whyKept(owner, engine, ASKER, { position: copy, isrSeq: ISR_SEQ });
  adopt(ISR_SEQ, [OTHER]);
  assertEquals(ask(GOOD), "others are to have it first");
  assertEquals(ask(position(0, [0], [0])), undefined, "nothing is lost with an empty one");
  owner.inSync.propose(owner.inSync.followers[0]!, 0);
  owner.inSync.promised(owner.inSync.followers[0]!, 1e9, 1e9);
  assertEquals(ask(GOOD), "others are to have it first", "the master may refuse it");
  adopt(ISR_SEQ, [OTHER], [OTHER]);
  assertEquals(ask(GOOD), undefined);
  await engine.close();
});

Deno.test("letting go: an owner refuses a copy with records that its history lacks, or may lack", async () => {
  const { engine, owner } = await owning();
  const ask = (copy: SlotPosition) => whyKept(owner, engine, ASKER, { position: copy, isrSeq: ISR_SEQ });
  const unknown = "its last records are not known to be in the slot's history";
  assertEquals(ask(position(3, [3], [3])), undefined, "committed");
  assertEquals(ask(position(0, [0], [0])), undefined, "empty");
  assertEquals(ask({ ...position(2, [2], [2]), incomplete: true }), undefined, "only partly there");
  assertEquals(ask(position(2, [2, 3], [2, 4])), unknown, "another record at our last LSN");
  assertEquals(ask(position(1, [2, 3], [2, 3])), unknown, "not in memory any more");
  assertEquals(ask(position(2, [2, 4], [3, 5])), unknown, "more than we have");
  assertEquals(ask(position(9, [2], [9])), unknown, "more committed than we have");
  assertEquals(ask({ ...GOOD, damaged: true }), "it is damaged: nobody knows what it had");
  put(engine, SLOT, "a", "not committed yet");
  assertEquals(ask(position(2, [2, 4], [3, 5])), unknown);
  await engine.close();
});

Deno.test("letting go: a copy of an earlier lineage stays; requests for another process are refused", async () => {
  const { engine, owner, self } = await owning(3);
  const copy = (runEpochs: number[]) => ({ position: position(2, runEpochs, [3, 4]), isrSeq: ISR_SEQ });
  assertEquals(whyKept(owner, engine, ASKER, copy([2, 4])), "it is of an earlier lineage");
  const parts = { self, engine, log: () => {}, owner: (slot: number) => slot === SLOT ? owner : undefined };
  const empty = { position: position(0, [0], [0]), isrSeq: ISR_SEQ };
  const copies = [copy([2, 4]), copy([3, 4]), empty];
  assertEquals(letGo(parts, { from: ASKER, to: self, copies }), { slots: [SLOT, SLOT] });
  const to = { ...self, incarnation: 9 };
  await assertRejects(async () => await letGo(parts, { from: ASKER, to, copies }), KvError, "meant for");
  await engine.close();
});

const seat = (id: string, label: number): RingNode => ({
  ref: { id, incarnation: 1 },
  address: `${id}:1`,
  label,
  leaving: false,
});
const [A, B] = [seat("a", 0), seat("b", 6)];

/** Two nodes; a has a copy of every slot, and by the ring of version 1 b owns them all. */
async function two() {
  const world = new World();
  const start = async ({ ref, address }: RingNode) => {
    const process = new SimProcess(world.scheduler, ref.id);
    const clock = new SimClock(process, new SeededRandom("clock"));
    const random = new SeededRandom(process.name);
    const disk = new SimDisk(clock, random);
    const engine = await world.run(openOn(disk));
    const rings = new RingKeeper();
    const log: Log = (_level, message, fields) => void world.logged.push(`${message} ${fields?.slots}`);
    const ports = { clock, random, disk, transport: world.transport(process), log };
    const copies = new Copies(engine, ref, SETTINGS.msn, rings, defaultConfig(), ports, () => {});
    rings.onRing((ring) => copies.adopt(ring));
    await ports.transport.listen(address, (services) => copies.bind(services));
    return { engine, rings, copies };
  };
  const [a, b] = [await start(A), await start(B)];
  for (const { engine } of [a, b]) {
    for (let slot = 0; slot < SETTINGS.msn; slot++) put(engine, slot, "key", "value");
    await new Promise<void>((resolve) => engine.whenSynced(resolve));
    for (let slot = 0; slot < SETTINGS.msn; slot++) engine.commit(slot, 1);
  }
  const held = () =>
    Array.from({ length: SETTINGS.msn }, (_, slot) => a.engine.slot(slot).lastLsn).filter(Boolean);
  return { world, a, b, held };
}

/** b owns all, and a is to own nothing. */
function ring(version: number, fields: Partial<Ring> = {}): Ring {
  return { ...ringOf(version, [{ ...A, leaving: true }, B], () => B), ...fields };
}

Deno.test("leftovers: copies go when two looks have found them without use, and their owner agrees", async () => {
  const { world, a, b, held } = await two();
  for (const { rings } of [a, b]) rings.offer(ring(1));
  await world.runMs(5000);
  assertEquals(held().length, SETTINGS.msn);
  await world.runMs(5000);
  assertEquals(held().length, 0);
  assertEquals(b.engine.slot(0).keys, 1);
  for (const { copies } of [a, b]) copies.stop();
});

Deno.test("leftovers: nothing goes while the node is not listed, is wanted, or its owner knows another ring", async () => {
  const { world, a, b, held } = await two();
  const unlisted = ring(1, { nodes: [B] });
  for (const { rings } of [a, b]) rings.offer(unlisted);
  await world.runMs(10_000);
  assertEquals(held().length, SETTINGS.msn);
  const standby = ring(2, { nodes: [B], standbys: [{ ref: A.ref, address: A.address, leaving: false }] });
  a.rings.offer(standby);
  await world.runMs(10_000);
  assertEquals(held().length, SETTINGS.msn, "it follows");
  b.rings.offer(ring(3));
  a.rings.offer(ring(4));
  await world.runMs(10_000);
  assertEquals(held().length, SETTINGS.msn, "the owner has an older epoch and isrSeq");
  b.rings.offer(ring(4));
  await world.runMs(10_000);
  assertEquals(held().length, 0);
  for (const { copies } of [a, b]) copies.stop();
});

Deno.test("leftovers: an owner that asks for the copy meanwhile, or a later one, keeps it", async () => {
  const { a, b } = await two();
  const { engine, copies: { replicas } } = a;
  const isThere = () => engine.slot(SLOT).lastLsn > 0;
  assert(!replicas.letGo(SLOT, 1), "it was not offered");
  replicas.offer(SLOT, 1);
  replicas.query({ refuse: () => {} }, SLOT, 1, () => {});
  assert(!replicas.letGo(SLOT, 1), "it was asked for since");
  replicas.offer(SLOT, 1);
  replicas.accept(SLOT, 2);
  assert(!replicas.letGo(SLOT, 1), "there is a later owner");
  assert(isThere());
  replicas.offer(SLOT, 2);
  assert(replicas.letGo(SLOT, 2) && !isThere());
  for (const { copies } of [a, b]) copies.stop();
});

Deno.test("leftovers: a node that has left is rid of its copies at once, and does not wait for an owner that is silent", async () => {
  const { world, a, b, held } = await two();
  const left = ring(1, { nodes: [B] });
  a.rings.offer(left);
  const settled = a.copies.leftovers.settle(3000);
  await world.runMs(1000);
  assertEquals(held().length, SETTINGS.msn);
  b.rings.offer(left);
  await world.run(settled);
  assertEquals(held().length, 0);
  const again = await two();
  again.a.rings.offer(left);
  const startMs = again.world.scheduler.nowMs;
  await again.world.run(again.a.copies.leftovers.settle(3000));
  assert(again.world.scheduler.nowMs - startMs < 3500);
  assertEquals(again.held().length, SETTINGS.msn);
  for (const { copies } of [a, b, again.a, again.b]) copies.stop();
});

Deno.test("leftovers: a node that has left keeps what others are to have first, and says so", async () => {
  const { world, a, b, held } = await two();
  const { ref } = seat("s", 0);
  const left = ring(1, { nodes: [B], standbys: [{ ref, address: "s:1", leaving: false }] });
  for (const { rings } of [a, b]) rings.offer(left);
  await world.run(a.copies.leftovers.settle(3000));
  assertEquals(held().length, SETTINGS.msn);
  const said = `copies stay in the folder: their owners have not let them go 0..${SETTINGS.msn - 1}`;
  assertEquals(world.logged.filter((line) => line === said).length, 1);
  for (const { copies } of [a, b]) copies.stop();
});
