import type { SlotPosition } from "../../proto/gen/kv/v1/cluster.ts";
import type { LogRecord } from "../storage/record.ts";
import type { Engine } from "../storage/engine.ts";
import type { Follower } from "./follower.ts";
import { forkOf, ownLog } from "./fork.ts";
import type { SlotOwner } from "./slot_owner.ts";

/**
 * `idle`: to be asked where its log ends. `asked`: that is under way. `snapshot`: it waits for its turn to get one, or
 * gets one. `streaming`: it gets records without gaps. `unusable`: its copy is of no use, but it still counts: it waits
 * to be taken out of the in-sync set.
 */
export type FollowPhase = "idle" | "asked" | "snapshot" | "streaming" | "unusable";

/** What to do with a follower whose position is known. */
export type CatchUp =
  | { readonly kind: "log"; readonly afterLsn: number; readonly afterEpoch: number }
  /** `since`: what it has of that state need not be sent again. */
  | { readonly kind: "snapshot"; readonly since: number }
  | { readonly kind: "unusable" };

/** One slot on the way to one follower. */
export class FollowedSlot {
  phase: FollowPhase = "idle";
  /** The next record to be sent. */
  nextLsn = 0;
  /** How far the follower was told, with records, that the slot is committed. */
  toldLsn = 0;
  /** Counts the beginnings: what was sent before the present one does not count. */
  session = 0;
  /** Not to be asked before. */
  retryAtMs = 0;

  constructor(readonly owner: SlotOwner, readonly follower: Follower, private readonly engine: Engine) {}

  get slot(): number {
    return this.owner.slot;
  }

  /** Nothing that was sent so far counts any more. */
  reset(retryAtMs = 0): void {
    this.phase = "idle";
    this.session++;
    this.retryAtMs = retryAtMs;
    this.follower.streaming = false;
  }

  /** From here on records follow without gaps; the follower has everything through `lsn` already. */
  stream(lsn: number): void {
    this.phase = "streaming";
    this.nextLsn = lsn + 1;
    this.toldLsn = lsn;
    this.follower.streaming = true;
    this.follower.unusable = false;
  }

  /** The next record, if there is one that the own log cannot lose any more by a full disk. */
  next(): LogRecord | undefined {
    if (this.nextLsn > this.engine.slot(this.slot).writtenLsn) return undefined;
    return this.owner.recordAt(this.nextLsn);
  }

  /** There are records to send, but they are not in memory any more. */
  get fallenBehind(): boolean {
    return this.phase === "streaming" && this.nextLsn <= this.engine.slot(this.slot).writtenLsn &&
      this.owner.recordAt(this.nextLsn) === undefined;
  }

  /** How to bring the follower to our log. What it acknowledged beyond where that agrees is void. */
  catchUp(position: SlotPosition): CatchUp {
    const way = this.#wayFrom(position);
    this.follower.agreesThrough(way.kind === "log" ? way.afterLsn : 0);
    return way;
  }

  #wayFrom(position: SlotPosition): CatchUp {
    const { counts } = this.follower;
    // What has the same place in a log of another lineage need not be the same: nothing of it may stay.
    if (position.damaged || position.runEpochs[0]! < this.owner.lineage) {
      return counts ? { kind: "unusable" } : { kind: "snapshot", since: 0 };
    }
    if (position.incomplete) {
      return counts ? { kind: "unusable" } : { kind: "snapshot", since: position.committedLsn };
    }
    const ours = ownLog(this.owner, this.engine);
    const fork = forkOf(ours, position);
    if (fork === undefined) return counts ? { kind: "unusable" } : { kind: "snapshot", since: 0 };
    const epoch = ours.epochAt(fork);
    if (epoch !== undefined && (fork === ours.lastLsn || this.owner.recordAt(fork + 1) !== undefined)) {
      return { kind: "log", afterLsn: fork, afterEpoch: epoch };
    }
    return counts ? { kind: "unusable" } : { kind: "snapshot", since: position.committedLsn };
  }
}
