import type { LogRecord } from "./record.ts";

/** Where a slot's copy was found to be broken. It is not served until it was fetched as a whole or salvaged. */
export interface Damage {
  readonly file: string;
  /** Byte in the file. */
  readonly offset: number;
  readonly reason: string;
}

/** What others may see of a slot. committedLsn <= durableLsn <= lastLsn, unless it is incomplete. */
export interface SlotView {
  readonly slot: number;
  /** LSN and epoch of the last appended record, or of an appended SnapshotEnd; 0 when there is none. */
  readonly lastLsn: number;
  readonly lastEpoch: number;
  /** All records through this one are in the log's file: no lack of room can take them back. */
  readonly writtenLsn: number;
  /** All records through this one are on stable storage. */
  readonly durableLsn: number;
  /** All records through this one are applied. */
  readonly committedLsn: number;
  readonly committedEpoch: number;
  /**
   * From the appending of a SnapshotBegin until its SnapshotEnd is durable, and after a restart in between: the entries
   * are those of no LSN and cannot be read. `committedLsn` is that of the copy before, or 0.
   */
  readonly incomplete: boolean;
  readonly damage: Damage | undefined;
  /** Of the committed state: number of keys, and bytes of keys and values together. */
  readonly keys: number;
  readonly bytes: number;
  /** While committedLsn is below, a snapshot has left entries of later states among those of this one. */
  readonly blurredThroughLsn: number;
  /** Sum modulo 2^32 of the committed entries' checksums: equal states have equal digests. */
  readonly digest: number;
  /** The records above committedLsn, in order. */
  readonly tail: readonly LogRecord[];
}

/** What the committed state of a slot amounts to; equal states have equal digests. */
export interface SlotDigest {
  readonly lsn: number;
  readonly keys: number;
  /** Sum modulo 2^32 of the checksums of the entries; the scrub sees that the data files hold just these. */
  readonly entries: number;
  /** Checksum of the clients' results. */
  readonly results: number;
}
