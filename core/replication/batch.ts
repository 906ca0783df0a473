/** Records on the way from an owner to a follower: one after the other, in the form that they have in the log. */

import type { ReplicateBatch } from "../../proto/gen/kv/v1/cluster.ts";
import { KvError } from "../platform/errors.ts";
import {
  type Buffer,
  bufferOf,
  decodeRecord,
  encodeRecord,
  isBodyIntact,
  recordBytes,
  recordEnd,
} from "../storage/log_record.ts";
import type { LogRecord } from "../storage/record.ts";

/** No file, so no place that a record would belong to. */
const NO_SALT = 0;
const NO_PLACE = 0;

/** A message to a follower that says nothing. */
export const NOTHING: ReplicateBatch = {
  from: undefined,
  to: undefined,
  number: 0,
  heartbeat: undefined,
  mismatch: undefined,
  queries: [],
  begins: [],
  records: new Uint8Array(0),
  committedSlots: [],
  committedLsns: [],
};

/** Collects the records of one batch. */
export class BatchWriter {
  #buffer: Buffer;
  #bytes = 0;

  constructor(bytes: number) {
    this.#buffer = bufferOf(new Uint8Array(bytes));
  }

  get bytes(): number {
    return this.#bytes;
  }

  add(record: LogRecord): void {
    const end = this.#bytes + recordBytes(record);
    if (end > this.#buffer.bytes.length) this.#grow(end);
    this.#bytes = encodeRecord(record, this.#buffer, this.#bytes, NO_SALT, NO_PLACE);
  }

  /** What was collected, which the caller may keep. */
  take(): Uint8Array {
    const taken = this.#buffer.bytes.slice(0, this.#bytes);
    this.#bytes = 0;
    return taken;
  }

  #grow(bytes: number): void {
    const larger = bufferOf(new Uint8Array(2 ** Math.ceil(Math.log2(bytes))));
    larger.bytes.set(this.#buffer.bytes.subarray(0, this.#bytes));
    this.#buffer = larger;
  }
}

/** The records of a batch; their values are views of it. Throws KvError `invalid` when it is not what was sent. */
export function* recordsOf(batch: Uint8Array): Generator<LogRecord> {
  const buffer = bufferOf(batch);
  let at = 0;
  while (at < batch.length) {
    const end = recordEnd(buffer, at, NO_SALT, NO_PLACE);
    if (end === undefined || !isBodyIntact(buffer, at, end)) {
      throw new KvError("invalid", `the batch is broken at byte ${at} of ${batch.length}`);
    }
    yield decodeRecord(buffer, at);
    at = end;
  }
}
