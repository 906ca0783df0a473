/** What a slot's log consists of. `log_record.ts` makes it bytes. */

export const RecordKind = {
  Put: 1,
  Delete: 2,
  /** First record of an epoch; changes no key. */
  EpochStart: 3,
  /** Drops the dedupe state of idle clients: `value` lists their ids (16 bytes each), `clientId` is the largest. */
  Forget: 4,
  /**
   * Cuts the slot's uncommitted records with a greater LSN than its own. It is a record of the node's log, not of the
   * slot's: it takes no LSN, and its epoch is that of the last record that stays.
   */
  Truncate: 5,
  /**
   * The answer to a retried write that changed nothing: only the client's result is kept. `value` holds the version
   * that was answered, as 8 bytes (float64, big endian).
   */
  Note: 6,
  /**
   * A snapshot replaces a slot's copy: Begin, any number of Results, Put and Keep, End. They are records of the node's log, as
   * Truncate is, and each takes effect when it is durable. From Begin to End the slot is incomplete.
   *
   * Begin drops the tail. `lsn` and `epoch`: of the last record that the snapshot contains; `sequence`: since which LSN
   * it tells what has changed, at most the copy's committed one, or 0: it contains all, and what the copy has goes,
   * damage too; `value`: the clients' results, see `session_bytes.ts`, or the first of them. The engine sets `lowestUnfinished` to the LSN
   * through which the copy is committed, and `hash` to how many records of the snapshot the log has before this one:
   * more than 0 in a Begin that a checkpoint has written again.
   */
  SnapshotBegin: 7,
  /** An entry: key, hash, value; `lsn` is its version. The engine numbers what follows a Begin in `sequence`, from 1. */
  SnapshotPut: 8,
  /** An entry (key; `lsn` is its version) that the copy has already; if it does not, the slot is damaged. */
  SnapshotKeep: 9,
  /**
   * The entries not named go, the results are replaced, and the slot is committed through `lsn` of `epoch`.
   * `lowestUnfinished`: how far the source was committed by then, which is how new entries may be.
   */
  SnapshotEnd: 10,
  /** `value`: more of the clients' results, behind what the Begin and those before have. */
  SnapshotResults: 11,
} as const;

/** `outcome` of a SnapshotBegin whose source is the damaged copy itself: at the end it passes for undamaged. */
export const SALVAGES = 1;

/** One entry of a slot's log: an effect, not a condition. */
export interface LogRecord {
  /** One of {@link RecordKind}. */
  readonly kind: number;
  readonly slot: number;
  /** Never falls within a slot's log. */
  readonly epoch: number;
  /** Position in the slot's log, from 1, without gaps. */
  readonly lsn: number;
  /** Binary string: one char (0..255) per byte of the key; "" where the kind has none. */
  readonly key: string;
  /** fnv1a32 of the key's bytes, which decides its file; 0 where the kind has no key. */
  readonly hash: number;
  /** Empty unless Put, Forget, Note, SnapshotBegin, SnapshotPut or SnapshotResults. */
  readonly value: Uint8Array;
  /** Binary string of 16 chars; "" asks for no dedupe. */
  readonly clientId: string;
  /** The client's number of this write, from 1; 0: none. */
  readonly sequence: number;
  /** The client needs no result below this sequence any more. */
  readonly lowestUnfinished: number;
  /** What the client is answered: a proto Outcome (CREATED, UPDATED, DELETED); 0: none. */
  readonly outcome: number;
}

/** Whether the record belongs to a snapshot. */
export function isOfSnapshot({ kind }: LogRecord): boolean {
  return kind >= RecordKind.SnapshotBegin && kind <= RecordKind.SnapshotResults;
}

/** Whether the snapshot that begins with this record contains all, and needs nothing of the copy. */
export function containsAll({ sequence, outcome }: LogRecord): boolean {
  return sequence === 0 && outcome !== SALVAGES;
}

/** Whether the Begin of a snapshot empties the copy. */
export function empties(begin: LogRecord): boolean {
  return containsAll(begin) && begin.hash === 0;
}

/** A record with nothing but its place; the rest is to be laid over it. */
export function bareRecord(kind: number, slot: number, epoch: number, lsn: number): LogRecord {
  const value = new Uint8Array(0);
  return {
    ...{ kind, slot, epoch, lsn, key: "", hash: 0, value },
    ...{ clientId: "", sequence: 0, lowestUnfinished: 0, outcome: 0 },
  };
}

/** The version inside a Note's value. */
export function noteVersion(value: Uint8Array): number {
  return new DataView(value.buffer, value.byteOffset, value.length).getFloat64(0);
}

/** A Note's value. */
export function noteValue(version: number): Uint8Array {
  const bytes = new Uint8Array(8);
  new DataView(bytes.buffer).setFloat64(0, version);
  return bytes;
}
