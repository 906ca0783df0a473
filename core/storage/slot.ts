import type { LogRecord } from "./record.ts";

/** Where a slot's copy was found to be broken. The slot is not served until it has been fetched or salvaged. */
export interface Damage {
  readonly file: string;
  /** Byte in the file. */
  readonly offset: number;
  readonly reason: string;
}

/** What others may see of a slot. committedLsn <= durableLsn <= lastLsn. */
export interface SlotView {
  readonly slot: number;
  /** LSN and epoch of the last appended record; 0 when there is none. */
  readonly lastLsn: number;
  readonly lastEpoch: number;
  /** All records through this one are on stable storage. */
  readonly durableLsn: number;
  /** All records through this one are applied. */
  readonly committedLsn: number;
  readonly damage: Damage | undefined;
  /** Of the committed state: number of keys, and bytes of keys and values together. */
  readonly keys: number;
  readonly bytes: number;
  /** Sum modulo 2^32 of the committed entries' checksums: equal states have equal digests. */
  readonly digest: number;
  /** The records above committedLsn, in order. */
  readonly tail: readonly LogRecord[];
}
