import { recordBytes } from "../storage/log_record.ts";
import type { LogRecord } from "../storage/record.ts";

/** What an object on the heap costs besides the bytes of the record. */
const OBJECT_BYTES = 160;

/** Of one slot, without gaps. */
interface Run {
  /** Those before `head` are gone. */
  records: LogRecord[];
  head: number;
}

/**
 * The last committed records of the slots that this node owns, for followers that lack a little: who lacks more gets a
 * snapshot. Bounded for the node as a whole; the oldest go first.
 */
export class RecentRecords {
  readonly #runs = new Map<number, Run>();
  /** One entry per record in the order of their coming; those before `#head` are gone. */
  #queue: number[] = [];
  #head = 0;
  #bytes = 0;

  constructor(private readonly bytesMax: number) {}

  /** The records were committed, in order. */
  add(slot: number, records: readonly LogRecord[]): void {
    let run = this.#runs.get(slot);
    for (const record of records) {
      if (run === undefined || this.#next(run) !== record.lsn) {
        if (run !== undefined) this.#clear(run);
        run = { records: [], head: 0 };
        this.#runs.set(slot, run);
      }
      run.records.push(record);
      this.#queue.push(slot);
      this.#bytes += recordBytes(record) + OBJECT_BYTES;
    }
    while (this.#bytes > this.bytesMax) this.#evict();
  }

  /** The committed record; undefined when it is not kept. */
  at(slot: number, lsn: number): LogRecord | undefined {
    const run = this.#runs.get(slot);
    const first = run?.records[run.head];
    return first === undefined || lsn < first.lsn ? undefined : run!.records[run!.head + lsn - first.lsn];
  }

  #next(run: Run): number | undefined {
    const last = run.records[run.records.length - 1];
    return last && last.lsn + 1;
  }

  #clear(run: Run): void {
    for (let i = run.head; i < run.records.length; i++) {
      this.#bytes -= recordBytes(run.records[i]!) + OBJECT_BYTES;
    }
  }

  #evict(): void {
    const run = this.#runs.get(this.#queue[this.#head++]!);
    if (this.#head > 4096 && 2 * this.#head > this.#queue.length) {
      this.#queue = this.#queue.slice(this.#head);
      this.#head = 0;
    }
    const record = run?.records[run.head];
    if (record === undefined) return;
    this.#bytes -= recordBytes(record) + OBJECT_BYTES;
    run!.head++;
    if (run!.head < 1024 || 2 * run!.head < run!.records.length) return;
    run!.records = run!.records.slice(run!.head);
    run!.head = 0;
  }
}
