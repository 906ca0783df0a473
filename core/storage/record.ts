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
} as const;

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
  /** Empty unless Put, Forget or Note. */
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
