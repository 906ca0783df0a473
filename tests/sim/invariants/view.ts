/** What a node must let the checkers see: read after every event of its process, so it has to be cheap. */

import type { NodeRef } from "../../../core/ring/ring.ts";
import type { LogRecord } from "../../../core/storage/record.ts";

/** A data node or a standby. */
export interface ReplicaNode {
  readonly self: NodeRef;
  /** Undefined as long as the node's storage is not open; then a view of each slot, the same object every time or not. */
  replica(slot: number): ReplicaView | undefined;
}

/** One slot at one node, as it is at the moment of each look. */
export interface ReplicaView {
  /** `engine.slot(slot)` is one. */
  readonly log: LogView;
  /** The highest epoch of the slot that the node knows: it refuses what is below. */
  readonly highestEpoch: number;
  /** By the node's own monotonic clock: until then it has promised not to serve the slot. */
  readonly notBeforeMs: number;
  /** There while this process takes itself for the owner of the slot. */
  readonly owner: OwnerView | undefined;
}

/** committedLsn <= durableLsn <= lastLsn */
export interface LogView {
  readonly lastLsn: number;
  readonly lastEpoch: number;
  readonly durableLsn: number;
  readonly committedLsn: number;
  readonly committedEpoch?: number;
  readonly digest: number;
  readonly blurredThroughLsn: number;
  readonly damage: { readonly reason: string } | undefined;
  /** Only a part of a snapshot is there. */
  readonly incomplete?: boolean;
  /** The records above committedLsn. */
  readonly tail: readonly LogRecord[];
}

export interface OwnerView {
  readonly epoch: number;
  /** Of the ring's entry that it goes by. */
  readonly isrSeq: number;
  /** The members that count for a commit, the owner included. A new array whenever it changes. */
  readonly effectiveIsr: readonly NodeRef[];
  /** Where its log ended when its epoch began. */
  readonly startLsn: number;
  /** Whether it would answer a read or acknowledge a write at this moment; has no side effects. */
  readonly canAnswer: boolean;
}
