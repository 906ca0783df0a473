/** The pure parts of replication: where logs part, who counts, what is asked of the master, what is kept. */

import { assert, assertEquals } from "@std/assert";
import { ProposalKind, type SlotPosition } from "../../proto/gen/kv/v1/cluster.ts";
import { BatchWriter, recordsOf } from "../../core/replication/batch.ts";
import { chooseForgotten, forgetRecord } from "../../core/replication/bookkeeping.ts";
import { forkOf } from "../../core/replication/fork.ts";
import { InSyncSet } from "../../core/replication/in_sync_set.ts";
import { DueMarks } from "../../core/replication/due.ts";
import { Uncommitted } from "../../core/replication/uncommitted.ts";
import { nextWish } from "../../core/replication/proposals.ts";
import { RecentRecords } from "../../core/replication/recent_records.ts";
import type { NodeRef, SlotEntry } from "../../core/ring/ring.ts";
import { MESSAGE_BYTES_MAX } from "../../core/rpc/options.ts";
import { recordBytes } from "../../core/storage/log_record.ts";
import { type LogRecord, RecordKind } from "../../core/storage/record.ts";
import { CLIENT_ID_BYTES, ClientSessions } from "../../core/storage/sessions.ts";
import { Seeded } from "./seeded.ts";

const SELF: NodeRef = { id: "self", incarnation: 1 };
const A: NodeRef = { id: "a", incarnation: 1 };
const B: NodeRef = { id: "b", incarnation: 1 };
const C: NodeRef = { id: "c", incarnation: 1 };
const PATIENCE = { stalledMs: 1000, silentMs: 600, downMs: 200 };

function entry(isrSeq: number, ...isr: NodeRef[]): SlotEntry {
  return { owner: SELF, epoch: 3, isr: [SELF, ...isr], isrSeq };
}

function record(slot: number, epoch: number, lsn: number): LogRecord {
  const value = new Uint8Array(lsn % 7).fill(lsn);
  const id = { clientId: "0123456789abcdef", sequence: lsn, lowestUnfinished: 1, outcome: 1 };
  return { kind: RecordKind.Put, slot, epoch, lsn, key: `k${lsn}`, hash: 5, value, ...id };
}

/** A log as the epochs of its records, LSN 1 first, and where it is followed from. */
function position(epochs: readonly number[], committedLsn: number): SlotPosition {
  const runEpochs = [epochs[committedLsn - 1] ?? 0];
  const runLsns = [committedLsn];
  for (let lsn = committedLsn + 1; lsn <= epochs.length; lsn++) {
    const epoch = epochs[lsn - 1]!;
    if (epoch === runEpochs.at(-1)) runLsns[runLsns.length - 1] = lsn;
    else {
      runEpochs.push(epoch);
      runLsns.push(lsn);
    }
  }
  return { slot: 0, epoch: 9, committedLsn, damaged: false, incomplete: false, runEpochs, runLsns };
}

Deno.test("fork: logs part behind the last record with the same epoch, as comparing all records says", () => {
  const random = new Seeded(3);
  for (let run = 0; run < 3000; run++) {
    // Two logs with one history up to some point, epochs rising, and different epochs behind it.
    const shared: number[] = [];
    for (let epoch = 1; shared.length < 4;) random.below(3) === 0 ? epoch++ : shared.push(epoch);
    const last = shared.at(-1)!;
    const tail = (epoch: number) => Array.from({ length: random.below(4) }, () => epoch);
    const ours = [...shared, ...tail(last + 1), ...tail(last + 3)];
    const theirs = [...shared, ...tail(last + 2), ...tail(last + 4)];
    const ourCommitted = random.below(shared.length + 1);
    const theirCommitted = random.below(shared.length + 1);
    const known = {
      lastLsn: ours.length,
      committedLsn: ourCommitted,
      epochAt: (lsn: number) => lsn >= ourCommitted ? (lsn === 0 ? 0 : ours[lsn - 1]) : undefined,
    };
    const fork = forkOf(known, position(theirs, theirCommitted));
    let naive = 0;
    while (naive < ours.length && naive < theirs.length && ours[naive] === theirs[naive]) naive++;
    assertEquals(fork, naive);
  }
});

Deno.test("fork: a follower that has committed what we do not have is of another history", () => {
  const known = { lastLsn: 5, committedLsn: 5, epochAt: (lsn: number) => lsn === 5 ? 2 : undefined };
  assertEquals(forkOf(known, position([1, 1, 1, 1, 3, 3, 3], 7)), undefined);
});

Deno.test("in sync: a proposed follower counts until a ring above its isrSeq is seen", () => {
  const set = new InSyncSet(SELF);
  set.adopt(entry(5), [A], 0);
  assertEquals(set.ackedLsn(), Infinity);
  set.propose(set.followers[0]!, 0);
  assertEquals(set.ackedLsn(), 0);
  set.adopt(entry(5), [A], 0);
  assertEquals(set.ackedLsn(), 0, "the same isrSeq decides nothing");
  set.adopt(entry(6), [A], 0);
  assertEquals(set.ackedLsn(), Infinity);
  set.adopt(entry(7, A), [A], 0);
  assertEquals(set.ackedLsn(), 0);
});

Deno.test("in sync: a proposed follower that the ring does not want any more counts as well", () => {
  const set = new InSyncSet(SELF);
  set.adopt(entry(5), [A], 0);
  set.propose(set.followers[0]!, 0);
  set.adopt(entry(5), [], 0);
  assertEquals(set.effective.map(({ ref }) => ref.id), ["a"]);
  set.adopt(entry(6), [], 0);
  assertEquals(set.followers, []);
});

Deno.test("in sync: a member that was restarted has promised nothing and acknowledged nothing", () => {
  const set = new InSyncSet(SELF);
  set.adopt(entry(5, A), [A], 0);
  set.promised(set.followers[0]!, 100, 100);
  set.followers[0]!.ackedLsn = 7;
  assertEquals([set.leaseUntilMs, set.ackedLsn()], [100, 7]);
  const again = { ...A, incarnation: 2 };
  set.adopt(entry(6, again), [again], 0);
  assertEquals([set.leaseUntilMs, set.ackedLsn()], [0, 0]);
});

Deno.test("uncommitted: a slot that holds little is not stopped by those that hold all, up to twice the bound", () => {
  const held = new Uncommitted(64_000);
  const bytes = held.take(63_000);
  assertEquals([held.mayTake(63_000), held.mayTake(0)], [true, true]);
  const more = held.take(2000);
  assertEquals([held.mayTake(63_000), held.mayTake(1000), held.mayTake(999)], [false, false, true]);
  held.take(64_000);
  assertEquals(held.mayTake(0), false);
  held.giveBack(bytes + more);
  assertEquals(held.mayTake(64_000), false, "what is left is still above the bound");
  assertEquals(held.mayTake(0), true);
});

Deno.test("due: what was there so long ago, by the marks; time that this process was held up does not count", () => {
  const due = new DueMarks();
  assertEquals(due.through(5000, 1000), 0);
  for (const [lsn, atMs] of [[3, 0], [3, 150], [7, 300], [9, 450]] as const) due.note(lsn, atMs, 2000);
  const at = (nowMs: number) => due.through(nowMs, 1000);
  assertEquals([at(999), at(1000), at(1299), at(1300), at(1449)], [0, 3, 3, 7, 7]);
  assertEquals(due.through(2299, 2000), 3);
  due.forgive(500, 1449);
  assertEquals([at(1799), at(1949), at(1950)], [3, 7, 9]);
  due.note(9, 2900, 2000);
  assertEquals([due.through(2900, 2000), due.through(2900, 3000)], [7, 0], "older marks are gone");
});

Deno.test("wishes: broken members leave first, followers that caught up enter, the successor takes over last", () => {
  const set = new InSyncSet(SELF);
  const wanted = { owner: B, superfluous: [] };
  const wish = (lateLsn: number, nowMs: number, soonLsn = lateLsn) =>
    nextWish(
      { inSync: set, due: { soonLsn, lateLsn }, neededLsn: 4, serving: true },
      wanted,
      nowMs,
      PATIENCE,
    );
  set.adopt(entry(5, A), [A, B], 0);
  const [a, b] = set.followers;
  assertEquals(wish(0, 100), undefined, "there was no time to connect yet");
  assertEquals(wish(0, 300), { kind: ProposalKind.REMOVE, follower: a!, reason: "it cannot be reached" });
  const alive = { downSinceMs: undefined, askedMs: undefined, promisedUntilMs: 900, streaming: true };
  for (const follower of [a!, b!]) Object.assign(follower, alive);
  assertEquals(wish(0, 400), undefined, "b has not caught up");
  b!.ackedLsn = 4;
  assertEquals(wish(0, 400), { kind: ProposalKind.ADD, follower: b! });
  set.adopt(entry(6, A, B), [A, B], 400);
  assertEquals(wish(0, 400), { kind: ProposalKind.HAND_OVER, follower: b! });
  assertEquals(wish(0, 899), { kind: ProposalKind.HAND_OVER, follower: b! });
  const stalled = { kind: ProposalKind.REMOVE, follower: a!, reason: "it acknowledges nothing" };
  const slow = { kind: ProposalKind.REMOVE, follower: a!, reason: "it is too slow" };
  assertEquals([wish(0, 899, 1)?.kind, wish(1, 899)], [ProposalKind.HAND_OVER, slow]);
  a!.promisedUntilMs = b!.promisedUntilMs = 2000;
  assertEquals(wish(0, 1000, 1), stalled);
  a!.ackedMs = 1;
  assertEquals(wish(0, 1000, 1)?.kind, ProposalKind.HAND_OVER);
  a!.askedMs = 400;
  const silent = { kind: ProposalKind.REMOVE, follower: a!, reason: "it answers no heartbeat" };
  assertEquals(wish(0, 1000), silent);
});

Deno.test("wishes: the owner before stays in sync until the new one serves", () => {
  const set = new InSyncSet(SELF);
  set.adopt(entry(5, A), [A], 0);
  const alive = { downSinceMs: undefined, promisedUntilMs: 900, streaming: true, ackedLsn: 4 };
  Object.assign(set.followers[0]!, alive);
  const wish = (serving: boolean) => {
    const slot = { inSync: set, due: { soonLsn: 4, lateLsn: 4 }, neededLsn: 4, serving };
    return nextWish(slot, { owner: SELF, superfluous: [A] }, 100, PATIENCE);
  };
  assertEquals(wish(false), undefined);
  assertEquals(wish(true)?.kind, ProposalKind.REMOVE);
});

Deno.test("wishes: one that the master does not take holds up nobody, and goes when it is not wanted any more", () => {
  const set = new InSyncSet(SELF);
  set.adopt(entry(5, A), [A, B, C], 0);
  const alive = { downSinceMs: undefined, promisedUntilMs: 9000, streaming: true, ackedLsn: 4 };
  for (const follower of set.followers) Object.assign(follower, alive);
  const [a, b, c] = set.followers;
  const wish = (nowMs: number, superfluous: NodeRef[] = []) => {
    const slot = { inSync: set, due: { soonLsn: 4, lateLsn: 4 }, neededLsn: 4, serving: true };
    const found = nextWish(slot, { owner: A, superfluous }, nowMs, PATIENCE);
    if (found?.kind === ProposalKind.ADD) set.propose(found.follower, nowMs);
    return { kind: found?.kind, follower: found?.follower };
  };
  assertEquals(wish(1000), { kind: ProposalKind.ADD, follower: b });
  assertEquals(wish(1999), { kind: ProposalKind.ADD, follower: b });
  assertEquals(wish(2000), { kind: ProposalKind.ADD, follower: c }, "a second is enough for one");
  assertEquals(wish(3000), { kind: ProposalKind.HAND_OVER, follower: a });
  assertEquals(wish(3000, [B]), { kind: ProposalKind.REMOVE, follower: b });
  set.adopt(entry(6, A), [A, C], 3000);
  assertEquals(wish(3000), { kind: ProposalKind.ADD, follower: c }, "and is proposed anew");
});

Deno.test("batch: records come back as they were", () => {
  const writer = new BatchWriter(64);
  const records = Array.from({ length: 50 }, (_, i) => record(i % 3, 2, i + 1));
  for (const one of records) writer.add(one);
  assertEquals([...recordsOf(writer.take())], records);
  assertEquals(writer.bytes, 0);
});

Deno.test("recent records: the newest of all slots stay, without gaps, within the bound", () => {
  const random = new Seeded(5);
  const recent = new RecentRecords(20_000);
  const last = [0, 0, 0];
  for (let i = 0; i < 20_000; i++) {
    const slot = random.below(3);
    if (random.below(500) === 0) last[slot]! += 10; // another owner had the slot in between
    recent.add(slot, [record(slot, 1, ++last[slot]!)]);
  }
  for (const slot of [0, 1, 2]) {
    assertEquals(recent.at(slot, last[slot]!), record(slot, 1, last[slot]!));
    assertEquals(recent.at(slot, last[slot]! + 1), undefined);
    let kept = 0;
    while (recent.at(slot, last[slot]! - kept)?.lsn === last[slot]! - kept) kept++;
    assert(kept > 0 && kept < 200, `${kept} of slot ${slot}`);
  }
});

Deno.test("bookkeeping: a record that drops very many clients still fits into a message", () => {
  const sessions = new ClientSessions();
  const clients = Array.from(
    { length: 150_000 },
    (_, i) => [`${i}`.padStart(CLIENT_ID_BYTES), 1, []] as const,
  );
  sessions.replace({ forgotten: "", clients });
  const record = forgetRecord(1, 1, 1, chooseForgotten(sessions, 1000, () => false));
  assert(recordBytes(record) < MESSAGE_BYTES_MAX / 2);
  sessions.apply(record);
  assert(sessions.size < 150_000);
});
