import { assert, assertEquals, assertThrows } from "@std/assert";
import { bytesFromBinary } from "../../core/platform/binary.ts";
import { KvError } from "../../core/platform/errors.ts";
import { RESULTS_MAX } from "../../core/platform/limits.ts";
import { Promises } from "../../core/replication/promises.ts";
import { RecentRecords } from "../../core/replication/recent_records.ts";
import { SlotOwner } from "../../core/replication/slot_owner.ts";
import { Uncommitted } from "../../core/replication/uncommitted.ts";
import { Outcome, type Waiter, type WriteRequest } from "../../core/replication/write.ts";
import { fnv1a32Binary } from "../../core/ring/hash.ts";
import { SimDisk } from "../sim/world/disk.ts";
import { nextGroup, openOn, seeded, TestClock } from "./storage_world.ts";

const SLOT = 1;
const CLIENT = "0123456789abcdef";

async function newOwner(clientsMax = 10, minInSync = 1, bytesMax = 1 << 20) {
  const clock = new TestClock();
  const disk = new SimDisk(clock, seeded(5));
  const engine = await openOn(disk);
  const promises = new Promises(clock, [0, 0, 0]);
  const recent = new RecentRecords(1000);
  const self = { id: engine.nodeId, incarnation: engine.incarnation };
  const uncommitted = new Uncommitted(bytesMax);
  const parts = { self, engine, clock, promises, recent, uncommitted, clientsMax, minInSync };
  const owner = new SlotOwner({ ...parts, began: () => {} }, SLOT, 1);
  engine.onDurable(() => owner.advance());
  owner.adopt({ owner: self, epoch: 1, isr: [self], isrSeq: 1 }, []);
  await nextGroup(engine);
  return { engine, owner, disk, clock, self, promises };
}

/** A put of the key "k", with what the caller changes. */
function put(sequence: number, fields: Partial<WriteRequest> = {}): WriteRequest {
  const plain = { kind: "put", key: "k", hash: fnv1a32Binary("k"), value: bytesFromBinary("v") } as const;
  const id = { clientId: CLIENT, sequence, lowestUnfinished: 1, retry: false, condition: undefined };
  return { ...plain, ...id, ...fields };
}

/** Collects "outcome version" or the error's code. */
function collect(answers: string[]): Waiter {
  return {
    done: (outcome, version) => answers.push(`${outcome} ${version}`),
    failed: (error) => answers.push(error.code),
  };
}

Deno.test("slot owner: a retry that changes nothing is logged, and an earlier sending that comes late finds its answer", async () => {
  const { engine, owner } = await newOwner();
  const answers: string[] = [];
  owner.write(put(1, { clientId: "" }), collect(answers));
  await nextGroup(engine);
  // The retry of sequence 7 finds a value; then the key is deleted, and the first sending of 7 arrives.
  owner.write(put(7, { condition: { absent: true }, retry: true }), collect(answers));
  await nextGroup(engine);
  owner.write(put(1, { kind: "delete", clientId: "" }), collect(answers));
  await nextGroup(engine);
  owner.write(put(7, { condition: { absent: true } }), collect(answers));
  const failed = `${Outcome.ConditionFailed} 2`;
  assertEquals(answers, [`${Outcome.Created} 2`, failed, `${Outcome.Deleted} 4`, failed]);
  assertEquals(engine.versionOf(SLOT, "k"), 0);
  await engine.close();
});

Deno.test("slot owner: a write that waits is answered once for each of its sendings, and executed once", async () => {
  const { engine, owner } = await newOwner();
  const answers: string[] = [];
  owner.write(put(1), collect(answers));
  owner.write(put(1, { retry: true }), collect(answers));
  assertEquals(answers, []);
  await nextGroup(engine);
  owner.write(put(1, { retry: true }), collect(answers));
  const created = `${Outcome.Created} 2`;
  assertEquals(answers, [created, created, created]);
  assertEquals(engine.slot(SLOT).lastLsn, 2, "the start of the epoch, and the write");
  await engine.close();
});

Deno.test("slot owner: conditions are decided on what was appended, and answered when that is committed", async () => {
  const { engine, owner } = await newOwner();
  const answers: string[] = [];
  owner.write(put(1), collect(answers));
  owner.write(put(2, { condition: { absent: true } }), collect(answers));
  owner.write(put(3, { condition: { version: 2 } }), collect(answers));
  assertEquals(answers, []);
  assertEquals(engine.versionOf(SLOT, "k"), 0, "not visible before it is durable");
  await nextGroup(engine);
  assertEquals(answers, [`${Outcome.Created} 2`, `${Outcome.ConditionFailed} 2`, `${Outcome.Updated} 3`]);
  await engine.close();
});

Deno.test("slot owner: of too many clients the longest idle are forgotten, and their retries have no known outcome", async () => {
  const { engine, owner } = await newOwner(4);
  const answers: string[] = [];
  const client = (n: number) => `client-${n}`.padEnd(16, "-");
  for (let n = 0; n < 8; n++) {
    owner.write(put(1, { clientId: client(n) }), collect(answers));
    await nextGroup(engine);
  }
  answers.length = 0;
  owner.write(put(1, { clientId: client(0), retry: true }), collect(answers));
  owner.write(put(2, { clientId: client(0) }), collect(answers));
  owner.write(put(1, { clientId: client(7), retry: true }), collect(answers));
  assertEquals(answers.slice(0, 2), ["outcome-unknown", "client-forgotten"]);
  assertEquals(answers[2]?.startsWith(`${Outcome.Updated} `), true);
  await engine.close();
});

Deno.test("slot owner: of a client that never says what it has finished the latest results are kept, on all copies", async () => {
  const { engine, owner, disk } = await newOwner();
  const answers: string[] = [];
  const last = 2 * RESULTS_MAX;
  for (let sequence = 1; sequence <= last;) {
    for (let i = 0; i < 1024; i++) owner.write(put(sequence++, { lowestUnfinished: 0 }), collect(answers));
    await nextGroup(engine);
    const [[, , results] = ["", 0, []]] = engine.sessions(SLOT).saved();
    assert(results.length <= RESULTS_MAX + 1024 && results.at(-1)?.[0] === sequence - 1);
    assert(results.length >= Math.min(sequence - 1, RESULTS_MAX / 2));
  }
  assertEquals(answers.length, last);
  const retries = answers.splice(0);
  for (const sequence of [1, last - RESULTS_MAX / 2 + 1, last]) {
    owner.write(put(sequence, { lowestUnfinished: 0, retry: true }), collect(answers));
  }
  assertEquals(answers, ["outcome-unknown", retries[last - RESULTS_MAX / 2]!, retries[last - 1]!]);
  const again = await openOn(disk.kill());
  again.commit(SLOT, again.slot(SLOT).durableLsn);
  assertEquals(again.digestAt(SLOT), engine.digestAt(SLOT));
  await again.close();
});

Deno.test("slot owner: held it takes no writes, closed it cannot say what became of writes under way", async () => {
  const { engine, owner } = await newOwner();
  const answers: string[] = [];
  owner.hold(100);
  owner.write(put(1), collect(answers));
  owner.hold(0);
  owner.write(put(1), collect(answers));
  owner.close("another owner");
  owner.write(put(2), collect(answers));
  assertEquals(answers, ["unavailable", "outcome-unknown", "unavailable"]);
  await engine.close();
});

Deno.test("slot owner: what comes while it is held is tried once more, after the hold, when it closes, or after a while", async () => {
  const { engine, owner, clock } = await newOwner();
  const answers: string[] = [];
  const tries: string[] = [];
  const writeLater = (name: string) => owner.write(put(1), collect(answers), () => tries.push(name));
  owner.hold(100);
  writeLater("after the hold");
  clock.advance(99);
  await Promise.resolve();
  assertEquals([tries, answers], [[], []]);
  clock.advance(1);
  await Promise.resolve();
  assertEquals(tries, ["after the hold"]);
  owner.hold(10_000);
  writeLater("after a while");
  clock.advance(1000);
  await Promise.resolve();
  assertEquals(tries.slice(1), ["after a while"]);
  for (let i = 0; i < 1000; i++) writeLater("closed");
  const kept = 1000 - answers.length;
  assertEquals([kept < 1000, answers.at(-1)], [true, "unavailable"]);
  owner.close("another owner");
  // Not before the ring that closed it is in the table.
  assertEquals(tries.length, 2);
  await Promise.resolve();
  assertEquals(tries.slice(2), Array.from({ length: kept }, () => "closed"));
  writeLater("never");
  assertEquals([tries.length, answers.at(-1)], [2 + kept, "unavailable"]);
  await engine.close();
});

Deno.test("slot owner: what waits is tried as soon as reads are answered, though writes need more copies in sync", async () => {
  const { engine, owner, self } = await newOwner(10, 2);
  const answers: string[] = [];
  const tries: string[] = [];
  assertEquals(owner.canAnswer, true);
  owner.defer(() => tries.push("read"));
  owner.write(put(1), collect(answers), () => tries.push("write"));
  assertEquals([tries, answers], [[], []]);
  owner.adopt({ owner: self, epoch: 1, isr: [self], isrSeq: 2 }, []);
  await Promise.resolve();
  assertEquals(tries, ["read", "write"]);
  await engine.close();
});

Deno.test("slot owner: a client that is being forgotten is refused before that is committed, and the one that writes stays", async () => {
  const { engine, owner } = await newOwner(4);
  const answers: string[] = [];
  const client = (n: number) => `client-${n}`.padEnd(16, "-");
  for (const n of [0, 1, 2, 3, 4]) {
    owner.write(put(1, { clientId: client(n) }), collect(answers));
    await nextGroup(engine);
  }
  answers.length = 0;
  // Too many: the oldest go with the record that comes before this write, but not the client that writes.
  owner.write(put(2, { clientId: client(0) }), collect(answers));
  owner.write(put(1, { clientId: client(0), retry: true }), collect(answers));
  owner.write(put(2, { clientId: client(1) }), collect(answers));
  owner.write(put(1, { clientId: client(1), retry: true }), collect(answers));
  assertEquals(answers.map((answer) => answer.split(" ")[0]), [
    `${Outcome.Created}`,
    "client-forgotten",
    `${Outcome.Updated}`,
  ]);
  await nextGroup(engine);
  owner.write(put(1, { clientId: client(0), retry: true }), collect(answers));
  owner.write(put(1, { clientId: client(1), retry: true }), collect(answers));
  assertEquals(answers.slice(3).map((answer) => answer.split(" ")[0]), [
    `${Outcome.Updated}`,
    `${Outcome.Created}`,
    "outcome-unknown",
  ]);
  await engine.close();
});

Deno.test("slot owner: what is refused because the copy is damaged was not appended, and a read tells nothing", async () => {
  const { engine, owner } = await newOwner();
  const answers: string[] = [];
  const before = engine.slot(SLOT).lastLsn;
  engine.distrust(SLOT, "unlike the others");
  for (const fields of [{}, { kind: "delete" }, { retry: true }, { condition: { absent: true } }] as const) {
    assertThrows(() => owner.write(put(1, fields), collect(answers)), KvError, "damaged");
  }
  assertThrows(() => owner.read("k", fnv1a32Binary("k")), KvError, "damaged");
  assertEquals([answers, engine.slot(SLOT).lastLsn], [[], before]);
  await engine.close();
});

Deno.test("slot owner: while too much waits for its commit, writes are refused before they are appended", async () => {
  const { engine, owner } = await newOwner(10, 1, 10_000);
  const answers: string[] = [];
  const errors: KvError[] = [];
  const refused = { done: () => {}, failed: (error: KvError) => void errors.push(error) };
  for (let i = 1; i <= 3; i++) owner.write(put(i, { value: new Uint8Array(3000) }), collect(answers));
  const { lastLsn } = engine.slot(SLOT);
  owner.write(put(5), refused);
  owner.write(put(1, { retry: true }), refused);
  owner.write(
    put(6, { condition: { absent: true } }),
    refused,
    () => errors.push(new KvError("internal", "deferred")),
  );
  assertEquals(errors.map(({ code }) => code), ["unavailable", "unavailable", "unavailable"]);
  assertEquals(
    errors[0]!.message.includes("10000 bytes of writes (pendingBytesMax) wait"),
    true,
  );
  assertEquals([answers, engine.slot(SLOT).lastLsn], [[], lastLsn]);
  await nextGroup(engine);
  assertEquals(answers.length, 3);
  // Who waits for what is under way counts, too.
  answers.length = 0;
  for (let i = 0; i < 100; i++) owner.write(put(6, { retry: true }), collect(answers));
  assertEquals(new Set(answers), new Set(["unavailable"]));
  await nextGroup(engine);
  owner.write(put(7), collect(answers));
  await nextGroup(engine);
  assertEquals(answers.at(-1), `${Outcome.Updated} 6`);
  await engine.close();
});

Deno.test("slot owner: after the machine was suspended no promise counts, wherever the wall clock is set then", async () => {
  const { engine, owner, clock, self, promises } = await newOwner();
  promises.learn(600);
  const other = { id: "other", incarnation: 1 };
  owner.adopt({ owner: self, epoch: 1, isr: [self, other], isrSeq: 2 }, [other]);
  const [follower] = owner.inSync.followers;
  owner.promised(follower!, clock.monotonicMs(), clock.wallMs());
  assertEquals(owner.canAnswer, true);
  clock.wallAheadMs = 5000;
  assertEquals(owner.canAnswer, false);
  clock.wallAheadMs = -200;
  assertEquals(owner.canAnswer, false, "it is not known for how long it was suspended");
  owner.inSync.voidPromises();
  owner.promised(follower!, clock.monotonicMs(), clock.wallMs());
  assertEquals(owner.canAnswer, true);
  await engine.close();
});
