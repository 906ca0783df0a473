import { bufferOf, decodeRecord, encodeRecord, recordBytes } from "../storage/log_record.ts";
import type { LogRecord } from "../storage/record.ts";

/** No file, so no place that a record would belong to. */
const NO_SALT = 0;
const NO_PLACE = 0;
/** After so many records of a slot it is looked which are gone. */
const LOOK_EVERY = 1024;

/** Of one slot, without gaps. */
interface Run {
  firstLsn: number;
  /** Where each record begins; the first ones may be gone. */
  begins: number[];
}

/**
 * The last committed records of the slots that this node owns, for followers that lack a little: who lacks more gets a
 * snapshot. Bounded for the node as a whole; the oldest go first.
 *
 * They are kept as bytes, in a piece of memory that is written round and round: objects would live just long enough for
 * V8 to move them to the old generation, and would be garbage there.
 */
export class RecentRecords {
  readonly #runs = new Map<number, Run>();
  /** Grows to `bytesMax`. */
  #memory = bufferOf(new Uint8Array(0));
  /** Where the next record goes, counted over all rounds. */
  #end = 0;

  constructor(private readonly bytesMax: number) {}

  /** The records were committed, in order. */
  add(slot: number, records: readonly LogRecord[]): void {
    for (const record of records) {
      const bytes = recordBytes(record);
      if (bytes > this.bytesMax) this.#runs.delete(slot);
      else this.#put(this.#runFor(record), record, bytes);
    }
  }

  /** The committed record; undefined when it is not kept. */
  at(slot: number, lsn: number): LogRecord | undefined {
    const run = this.#runs.get(slot);
    const begin = run?.begins[lsn - run.firstLsn];
    if (begin === undefined || this.#isGone(begin)) return undefined;
    const at = begin % this.bytesMax;
    const record = decodeRecord(this.#memory, at);
    // The memory will be written again.
    return { ...record, value: record.value.slice() };
  }

  /** The run that the record continues, or a new one. */
  #runFor({ slot, lsn }: LogRecord): Run {
    const run = this.#runs.get(slot);
    if (run === undefined || lsn !== run.firstLsn + run.begins.length) {
      const begun = { firstLsn: lsn, begins: [] };
      this.#runs.set(slot, begun);
      return begun;
    }
    if (run.begins.length % LOOK_EVERY === 0) {
      const kept = run.begins.findIndex((begin) => !this.#isGone(begin));
      const gone = kept < 0 ? run.begins.length : kept;
      run.begins = run.begins.slice(gone);
      run.firstLsn += gone;
    }
    return run;
  }

  #put(run: Run, record: LogRecord, bytes: number): void {
    const at = this.#end % this.bytesMax;
    if (at + bytes > this.bytesMax) this.#end += this.bytesMax - at;
    const begin = this.#end % this.bytesMax;
    if (begin + bytes > this.#memory.bytes.length) this.#grow(begin + bytes);
    encodeRecord(record, this.#memory, begin, NO_SALT, NO_PLACE);
    run.begins.push(this.#end);
    this.#end += bytes;
  }

  #grow(bytes: number): void {
    const larger = new Uint8Array(Math.min(this.bytesMax, 2 ** Math.ceil(Math.log2(bytes))));
    larger.set(this.#memory.bytes);
    this.#memory = bufferOf(larger);
  }

  /** Whether something was written over the record. */
  #isGone(begin: number): boolean {
    return begin < this.#end - this.bytesMax;
  }
}
