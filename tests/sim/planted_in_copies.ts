import type { Edit, Planted } from "./planted.ts";

/** The node takes copies for useless that its ring lists or wants. */
const OWN_RING_MISREAD: Edit = {
  file: "core/ring/followers.ts",
  find: "followersOf(ring, slot, placement).some((ref) => ref.id === id);",
  replace: 'followersOf(ring, slot, placement).some((ref) => ref.id === "");',
};

/** Faults in how copies come and go. */
export const PLANTED_IN_COPIES: readonly Planted[] = [
  {
    name: "a copy given up while it is listed",
    file: "core/replication/followed_slot.ts",
    find: "const { counts } = this.follower;",
    replace: "const counts = false as boolean;",
    also: [{
      // What a member in sync lacks is in the owner's memory, as long as nobody gets a snapshot instead.
      file: "core/replication/followed_slot.ts",
      find: "(fork === ours.lastLsn || this.owner.recordAt(fork + 1) !== undefined)",
      replace: "fork === ours.lastLsn",
    }, {
      file: "core/replication/replicas.ts",
      find:
        'if (isr.some((ref) => sameRef(ref, this.parts.self))) return "the ring lists its copy as in sync";',
      replace: "void isr;",
    }],
    why: "a member in sync lets go of what it has acknowledged",
  },
  {
    name: "a snapshot without the log behind it",
    file: "core/replication/followed_slot.ts",
    find: "this.nextLsn = lsn + 1;",
    replace: "this.nextLsn = Math.max(lsn + 1, this.engine.slot(this.slot).lastLsn);",
    why: "the follower has a gap",
  },
  {
    name: "a snapshot without the results of clients",
    file: "core/replication/snapshot_source.ts",
    find: "engine.clientResults(edge.slot);",
    replace: "EMPTY;",
    why: "a retry at the new owner is executed again",
  },
  {
    name: "an entry left out of a snapshot",
    file: "core/replication/snapshot_source.ts",
    find: "if (entry === undefined) continue;",
    replace: "if (entry === undefined || entry.version % 5 === 0) continue;",
    why: "the copy lacks a key",
  },
  {
    name: "a snapshot that leaves the clients' results as they were",
    file: "core/storage/snapshot.ts",
    find: "  slot.sessions.replace(sessionsFromBytes(begin.value));\n",
    replace: "",
    why: "the copies are not the same, and a retry at a new owner is executed again",
  },
  {
    name: "an old copy deleted without asking its owner",
    file: "core/replication/leftovers.ts",
    find: "const { slots } = await transport.call(address, cluster.letGo, request, CALL_TIMEOUT_MS);",
    replace: "const slots = request.copies.map(({ position }) => position!.slot);",
    why: "nobody looks whether it has records that nobody else has, or is in sync by a newer ring",
  },
  {
    name: "an old copy let go although it counts",
    file: "core/replication/letting_go.ts",
    find: "if (inSync.followers.some(({ ref }) => ref.id === id)) return",
    replace: "if (inSync.followers.length > 99) return",
    also: [OWN_RING_MISREAD],
    why: "a member in sync has nothing any more of what it acknowledged",
  },
  {
    name: "an old copy let go with records of its own",
    file: "core/replication/letting_go.ts",
    find: "if (lastLsn > ours.committedLsn || forkOf(ours, position) !== lastLsn) {",
    replace: "if (lastLsn > ours.committedLsn) {",
    why: "what a former owner had and nobody else is not kept for people",
  },
];
