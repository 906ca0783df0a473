import { PLANTED_IN_COPIES } from "./planted_in_copies.ts";

/*
 * What the simulation was tried with and did not find, so that it proves nothing about it; unit tests look at most of it:
 *
 * - the client never says that it has sent a write before (300 seeds): an earlier sending may be executed late
 * - the lost reply of a ring write taken for success; a write repeated under a new client id
 * - a snapshot of what has rotted on the owner ends its process (190 seeds): the files of a run are so short that hardly
 *   anything lies in blocks that are read from the disk before a start
 * - a write that the full disk refused not taken back (200 seeds); compaction without a sync of its own
 */

import { PLANTED_DAMAGE } from "./planted_damage.ts";

/** A change of the program: the text to be found, exactly once, and what stands there instead. */
export interface Edit {
  /** From the root of the project. */
  readonly file: string;
  readonly find: string;
  readonly replace: string;
}

/** A fault to plant in the program. */
export interface Planted extends Edit {
  readonly name: string;
  /** Where two look after the same thing, neither must. */
  readonly also?: readonly Edit[];
  /** What it breaks, and so how the simulation can see it. */
  readonly why: string;
}

/** Each of these must be found by the simulation; `deno task sim:mutants` tries them. */
export const PLANTED: readonly Planted[] = [
  ...PLANTED_IN_COPIES,
  ...PLANTED_DAMAGE,
  {
    name: "no sync before the answer",
    file: "core/storage/group_commit.ts",
    find: "if (now) this.writer.syncNow();\n        else await this.writer.sync();",
    replace: "await Promise.resolve();",
    why: "an acknowledged write is lost with the power",
  },
  {
    name: "a failed sync is ignored",
    file: "core/storage/group_commit.ts",
    find: "        this.fail(error);\n      }\n      this.#syncMs",
    replace: "      }\n      this.#syncMs",
    why: "what the failed sync dropped is acknowledged and gone after the next power loss",
  },
  {
    name: "a torn tail taken for good",
    file: "core/storage/recovery.ts",
    find: "begin, read.synced",
    replace: "read.end, read.end",
    why: "the next start finds broken records below what it takes for synced",
  },
  {
    name: "checksums of the log not looked at",
    file: "core/storage/log_record.ts",
    find: "crc32Within(bytes, at + RECORD_HEAD_BYTES, end) === view.getUint32(at + 4, true);",
    replace: "true;",
    why: "sectors that the power loss took are read as what was written",
  },
  {
    name: "a torn tail not cut",
    file: "core/storage/replay.ts",
    find: "      if (position >= cutAt) break;\n",
    replace: "",
    why: "records behind a gap are taken for good",
  },
  {
    name: "a start that takes the page cache for the disk",
    file: "core/storage/recovery.ts",
    find: "begin, read.synced",
    replace: "begin, begin",
    why: "what was read back, and never synced, is gone after the next power loss and taken for damage",
  },
  {
    name: "a checkpoint without synced files",
    file: "core/storage/checkpoint.ts",
    find: "await file.sync();",
    replace: "file.flush();",
    why: "the log is released while the files are not on the disk",
  },
  {
    name: "a folder that is not synced after a rename",
    file: "core/storage/replace_file.ts",
    find: "  disk.syncFolder(folder);\n",
    replace: "",
    why: "the log is released for a manifest that the power loss takes back",
  },
  {
    name: "a checkpoint or a snapshot without the results of clients",
    file: "core/storage/session_bytes.ts",
    find: "clients: [...sessions.saved()] }",
    replace: "clients: [] }",
    why: "a retry after a restart, or at a new owner, is executed again",
  },
  {
    name: "no dedupe",
    file: "core/replication/slot_owner.ts",
    find: 'if (request.clientId !== "" && this.#answerRetry(',
    replace: 'if (request.clientId === "never" && this.#answerRetry(',
    why: "a retried write takes effect twice",
  },
  {
    name: "a forgotten client's retry is executed",
    file: "core/replication/retries.ts",
    find: "if (clientId > sessions.forgotten || pending.hasClient(clientId)) return false;",
    replace: "return false;",
    why: "a retried write takes effect twice when its client was forgotten in between",
  },
  {
    name: "conditions decided on the committed state",
    file: "core/replication/slot_owner.ts",
    find: "const before = this.#pending.last(request.key);",
    replace: "const before = undefined as ReturnType<PendingRecords['last']>;",
    why: "two conditional writes under way at once both succeed",
  },
  {
    name: "an answer on a state that is not durable",
    file: "core/replication/slot_owner.ts",
    find: "} else if (before === undefined) {",
    replace: "} else if (before !== null) {",
    why: "a failed condition tells of a write that the power loss undoes",
  },
  {
    name: "a restarted owner serves before it is listed",
    file: "core/cluster/slot_table.ts",
    find: "if (!sameRef(entry.owner, this.parts.self)) {",
    replace: "if (entry.owner?.id !== this.parts.self.id) {",
    why: "it answers in an epoch that is not its own",
  },
  {
    name: "a restarted owner in its old epoch",
    file: "core/cluster/decide/relist.ts",
    find: "epoch: entry.epoch + (ownerChanged ? 1 : 0)",
    replace: "epoch: entry.epoch",
    why: "two process starts append in one epoch",
  },
  {
    name: "a lock taken out of turn",
    file: "core/coordination/lock.ts",
    find: 'if (place === 0 && this.#state === "waiting") {',
    replace: 'if (this.#state === "waiting") {',
    why: "two masters write the ring",
  },
  {
    name: "every sending under a new sequence",
    file: "core/client/operation.ts",
    find: "const { kind, key, value, condition, sequence } = this;",
    replace:
      "if (retry) this.sequence = this.ids!.take();\n    const { kind, key, value, condition, sequence } = this;",
    why: "a retried write takes effect twice",
  },
  {
    name: "a time limit reported as nothing done",
    file: "core/client/operation.ts",
    find: "if (!this.outcomeUnknown) return cause;",
    replace: "return cause;",
    why: "a write that was said to have failed is seen",
  },
  {
    name: "an acknowledgement before the followers'",
    file: "core/replication/slot_owner.ts",
    find: "return Math.min(this.#engine.slot(this.slot).durableLsn, this.inSync.ackedLsn());",
    replace: "return this.#engine.slot(this.slot).durableLsn;",
    why: "an acknowledged write is lost with its owner",
  },
  {
    name: "an answer without promises",
    file: "core/replication/slot_owner.ts",
    find: "return nowMs < leaseUntilMs && wallMs < leaseUntilWallMs && Math.abs(apartMs) <= CLOCKS_APART_MS;",
    replace: "return leaseUntilMs > 0;",
    why: "a paused owner answers after another has taken its place",
  },
  {
    name: "promises forgotten by a restart",
    file: "core/replication/promises.ts",
    find: "this.#notBeforeMs.fill(this.#startMs + promiseMs);",
    replace: "",
    why: "a restarted follower serves while its former owner still counts on it",
  },
  {
    name: "serving in spite of promises",
    file: "core/replication/slot_owner.ts",
    find: "if (clock.monotonicMs() < promises.notBeforeMs(this.slot)) return false;",
    replace: "",
    why: "a new owner answers while the one before still may",
  },
  {
    name: "serving before the log is on all members",
    file: "core/replication/slot_owner.ts",
    find: "if (this.#inSyncLsn() < this.#startLsn || !this.#leaseHolds()) return false;",
    replace: "if (!this.#leaseHolds()) return false;",
    why: "what it shows is gone when it dies",
  },
  {
    name: "a member counts only once the ring lists it",
    file: "core/replication/follower.ts",
    find: "return this.inRing || this.proposedSeq !== undefined;",
    replace: "return this.inRing;",
    why: "what is acknowledged between the proposal and the ring is not on the new member",
  },
  {
    name: "a late proposal accepted",
    file: "core/cluster/decide/proposals.ts",
    find: "if (entry.epoch !== epoch || entry.isrSeq !== isrSeq) return",
    replace: "if (entry.epoch !== epoch) return",
    why: "a member enters that the owner does not count any more",
  },
  {
    name: "a follower enters with what its owner knows to be committed",
    file: "core/replication/replicator.ts",
    find: "startLsn === 0 ? Infinity : Math.max(committedLsn, startLsn)",
    replace: "committedLsn",
    why: "a commit mark is older than what was acknowledged",
  },
  {
    name: "no check of epochs at the follower",
    file: "core/replication/promises.ts",
    find: "if (epoch < this.#highest[slot]!) return false;",
    replace: "",
    why: "a deposed owner goes on",
  },
  {
    name: "silence instead of a refusal",
    file: "core/replication/replicas.ts",
    find: 'return stream.refuse(slot, "the slot has not begun");',
    replace: "return;",
    why: "an acknowledgement of the batch says that a record is there which is not",
  },
  {
    name: "a log cut to the commit mark",
    file: "core/replication/fork.ts",
    find: "      if (known === epoch) return lsn;\n",
    replace: "",
    why: "a follower acknowledged what it is made to forget",
  },
  {
    name: "a promotion from outside of the in-sync set",
    file: "core/cluster/decide/promote.ts",
    find: "const survivors = isr.filter((ref) =>",
    replace: "const survivors = [...isr, ...view.ring.standbys.map(({ ref }) => ref)].filter((ref) =>",
    why: "the new owner lacks what was acknowledged",
  },
  {
    name: "a client forgotten right before its own write",
    file: "core/replication/forgetting.ts",
    find: "id === besides || ",
    replace: "",
    why: "it comes back without its other results, and a retry is executed again",
  },
  {
    name: "a successor that serves at once",
    file: "core/replication/promises.ts",
    find: "return this.#entitled[slot] === epoch - 1 && epoch > 1;",
    replace: "return epoch > 1;",
    why: "a follower that never was the owner lets go of what another still holds",
  },
  {
    name: "one promise for all slots of a node",
    file: "core/replication/promises.ts",
    find: "    this.#notBeforeMs[slot] = 0;",
    replace: "    this.#notBeforeMs.fill(0);",
    why: "who was given one slot takes itself for free to serve others, whose owners count on it",
  },
  {
    name: "a lease from when the answer came",
    file: "core/replication/heartbeats.ts",
    find: "owner.promised(follower, heartbeat.sentMs, heartbeat.sentWallMs);",
    replace: "owner.promised(follower, this.parts.clock.monotonicMs(), this.parts.clock.wallMs());",
    why:
      "the answer may have been long on its way, or the owner paused: the promise has run out before the lease",
  },
  {
    name: "a lease from messages of any kind",
    file: "core/replication/slot_owner.ts",
    find: "    follower.ackedMs = nowMs;",
    replace: "    this.promised(follower, this.#parts.clock.monotonicMs(), this.#parts.clock.wallMs());",
    why: "an acknowledgement is no promise, and may be late",
  },
  {
    name: "a pending retry answered at once",
    file: "core/replication/retries.ts",
    find: "    pending.join(record, waiter);",
    replace: "    waiter.done(record.outcome, record.version, 0);",
    why: "the first sending is not committed, and may never be",
  },
  {
    name: "an expired result executed",
    file: "core/replication/retries.ts",
    find: "  if (sequence >= client.lowestUnfinished) return false;",
    replace: "  return false;",
    why: "a late sending of a write that was answered long ago takes effect once more",
  },
  {
    name: "a member dropped in thought",
    file: "core/replication/follower.ts",
    find: "return this.inRing || this.proposedSeq",
    replace: "return (this.inRing && this.downSinceMs === undefined) || this.proposedSeq",
    why: "the ring still lists who does not get what is acknowledged",
  },
  {
    name: "the ring written without comparing its version",
    file: "core/cluster/ring_writer.ts",
    find: "data, version: read.nodeVersion },",
    replace: "data, version: undefined as unknown as number },",
    why: "a decision on an old ring undoes what was written since",
  },
  {
    name: "a hand-over before the successor is in sync",
    file: "core/replication/proposals.ts",
    find: "follower.inRing && sameRef(follower.ref, wanted.owner));",
    replace: "follower.streaming && sameRef(follower.ref, wanted.owner));",
    also: [{
      file: "core/replication/proposals.ts",
      find: "follower.ackedLsn >= neededLsn &&",
      replace: "follower.ackedLsn >= neededLsn && !sameRef(follower.ref, wanted.owner) &&",
    }, {
      file: "core/replication/rounds.ts",
      find: "return owner.idle && follower.ackedLsn === this.engine.slot(owner.slot).lastLsn;",
      replace: "return owner.idle && follower.streaming;",
    }, {
      file: "core/cluster/decide/proposals.ts",
      find: "      if (!isMember || node.id === entry.owner.id)",
      replace:
        "      if (!isMember) return { owner: node, epoch: epoch + 1, isr: [...entry.isr, node], isrSeq: isrSeq + 1 };\n" +
        "      if (node.id === entry.owner.id)",
    }],
    why: "the new owner lacks what was acknowledged",
  },
  {
    name: "a hand-over in the same epoch",
    file: "core/cluster/decide/proposals.ts",
    find: "owner: heir.ref, epoch: epoch + 1,",
    replace: "owner: heir.ref, epoch,",
    why: "two owners of one slot, of which nobody can say which is the later one",
  },
  {
    name: "a source that goes on after it has let go",
    file: "core/replication/replicas.ts",
    find: "      deposed(slot, epoch);\n",
    replace: "",
    why: "it said that it answers no more, and the new owner serves because of that",
  },
  {
    name: "an owner by force begins without its epoch",
    file: "core/cluster/slot_table.ts",
    find: "if (replicas.accept(slot, epoch)) void this.salvages.begin(slot, lineage);",
    replace: "void this.salvages.begin(slot, lineage);",
    why: "it would still listen to owners of earlier epochs, while its log is of a later one",
  },
];
