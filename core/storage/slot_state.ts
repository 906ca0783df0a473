import { KeyIndex } from "./key_index.ts";
import type { Places } from "./places.ts";
import { containsAll, empties, isOfSnapshot, type LogRecord, RecordKind, SALVAGES } from "./record.ts";
import { ClientSessions } from "./sessions.ts";
import type { Damage, SlotView } from "./slot.ts";

/** Takes an append back; in the reverse order of the appends. */
export type Undo = () => void;

/** A Truncate or SnapshotBegin that is not durable yet. */
interface Cut {
  readonly lsn: number;
  /** The copy's damage goes with it. */
  readonly heals: boolean;
  /** The tail and the slot's durableLsn if it is taken back. */
  readonly tail: readonly LogRecord[];
  durableLsn: number;
}

/** From where the log goes on behind a SnapshotEnd, or an emptying SnapshotBegin, that is not durable yet. */
interface Base {
  readonly lsn: number;
  readonly epoch: number;
  readonly heals: boolean;
}

/** A snapshot by what was appended: records may follow. */
interface Open {
  records: number;
  readonly salvages: boolean;
}

/** A snapshot that is being taken in, as far as its records are durable. */
export interface SnapshotSoFar {
  /** With all the results that have come so far. */
  begin: LogRecord;
  /** Number of its last record. */
  records: number;
  /** Rows of the entries it has named; undefined: all that are there, as it contains all. */
  readonly named: Set<number> | undefined;
  /** Why the state at its end is not the one that it is of. */
  damage?: Damage;
}

/**
 * A slot in memory: how far its log goes, its uncommitted tail, and where the committed entries are. What is appended
 * changes the end of the log at once, and all else when it is durable.
 */
export class SlotState implements SlotView {
  /**
   * committedLsn <= durableLsn <= lastLsn. Not while #bases has one: its tail then stands behind the last of them, and
   * durableLsn = committedLsn.
   */
  committedLsn = 0;
  committedEpoch = 0;
  durableLsn = 0;
  /** durableLsn <= writtenLsn <= lastLsn, for a slot that is neither cut nor under a snapshot. */
  writtenLsn = 0;
  damage: Damage | undefined;
  /** A durable SnapshotBegin is not followed by its durable SnapshotEnd. */
  partial = false;
  /** What the durable records of the snapshot have done. snapshot => partial */
  snapshot: SnapshotSoFar | undefined;
  bytes = 0;
  digest = 0;
  /** The entries came by a snapshot of which some are as new as this: until then the state is none that ever was. */
  blurredThroughLsn = 0;
  readonly sessions = new ClientSessions();
  /** The rows of the committed keys. */
  index: KeyIndex;
  readonly tail: LogRecord[] = [];
  /** In order of appending. No group from before may raise durableLsn above them. */
  readonly #cuts: Cut[] = [];
  /** In order of appending. */
  readonly #bases: Base[] = [];
  #open: Open | undefined;

  constructor(readonly slot: number, places: Places) {
    this.index = new KeyIndex(places);
  }

  get keys(): number {
    return this.index.size;
  }

  get lastLsn(): number {
    return (this.#bases.at(-1)?.lsn ?? this.committedLsn) + this.tail.length;
  }

  get lastEpoch(): number {
    const last = this.tail.at(-1) ?? this.#bases.at(-1);
    return last === undefined ? this.committedEpoch : last.epoch;
  }

  get incomplete(): boolean {
    return this.partial || this.#open !== undefined || this.#bases.length > 0;
  }

  /** Nothing is known of the slot. */
  get blank(): boolean {
    return this.logged().durableLsn === 0 && this.committedLsn === 0 && !this.partial &&
      this.damage === undefined && this.keys === 0;
  }

  /** Epoch of the record, for the tail and the one before it; undefined for others. */
  epochAt(lsn: number): number | undefined {
    const at = lsn - this.lastLsn + this.tail.length;
    if (at !== 0) return this.tail[at - 1]?.epoch;
    return this.#bases.length > 0 ? this.#bases.at(-1)!.epoch : this.committedEpoch;
  }

  /** What the log on the disk has above committedLsn: also what was cut by records that are not durable yet. */
  logged(): { readonly tail: LogRecord[]; readonly durableLsn: number } {
    const { tail, durableLsn } = this.#cuts[0] ?? this;
    const inLog = ({ lsn }: LogRecord) => lsn > this.committedLsn && lsn <= durableLsn;
    return { tail: tail.filter(inLog), durableLsn };
  }

  /** Whether the copy, by what was appended, is one that such a record may follow. */
  takes(record: LogRecord): boolean {
    const isBegin = record.kind === RecordKind.SnapshotBegin;
    if (this.damage !== undefined && !this.#heals()) {
      return isBegin && (containsAll(record) || record.outcome === SALVAGES);
    }
    if (isBegin) return true;
    if (isOfSnapshot(record)) return this.#open !== undefined;
    return this.#open === undefined && (!this.partial || this.#bases.length > 0);
  }

  /** The record as it stands in the log: those of snapshots with a number, see `RecordKind`. */
  numbered(record: LogRecord): LogRecord {
    if (!isOfSnapshot(record)) return record;
    if (record.kind !== RecordKind.SnapshotBegin) return { ...record, sequence: this.#open!.records + 1 };
    const committedLsn = containsAll(record) ? 0 : this.lastLsn - this.tail.length;
    return { ...record, hash: 0, lowestUnfinished: committedLsn };
  }

  /** Puts the record behind the tail, or cuts the tail; throws a RangeError when it does not fit there. */
  append(record: LogRecord): Undo {
    if (record.kind === RecordKind.Truncate) return this.#cut(record.lsn, false);
    if (isOfSnapshot(record)) return this.#appendOfSnapshot(record);
    if (record.lsn !== this.lastLsn + 1 || record.epoch < this.lastEpoch) {
      throw new RangeError(
        `slot ${this.slot}: record (epoch ${record.epoch}, lsn ${record.lsn}) does not follow ` +
          `(epoch ${this.lastEpoch}, lsn ${this.lastLsn})`,
      );
    }
    this.tail.push(record);
    return this.#pop;
  }

  /** Notes that the record was written to the log's file; called for each once, in the order of appending. */
  written(record: LogRecord): void {
    const { kind, lsn } = record;
    if (kind === RecordKind.Truncate) this.writtenLsn = Math.min(this.writtenLsn, lsn);
    else if (kind === RecordKind.SnapshotEnd || !isOfSnapshot(record)) this.writtenLsn = lsn;
  }

  /** Notes that the record is on stable storage; called for each once, in the order of appending. */
  settled(record: LogRecord): void {
    if (record.kind === RecordKind.Truncate) return void this.#cuts.shift();
    if (isOfSnapshot(record)) return this.#settledOfSnapshot(record);
    let reach = record.lsn;
    for (const cut of this.#cuts) {
      cut.durableLsn = Math.max(cut.durableLsn, reach);
      reach = Math.min(reach, cut.lsn);
    }
    this.durableLsn = Math.max(this.durableLsn, reach);
  }

  /** Takes the records through `lsn` out of the tail, as committed. */
  take(lsn: number): LogRecord[] {
    if (lsn > this.durableLsn) {
      throw new RangeError(
        `slot ${this.slot}: commit of lsn ${lsn} above the durable lsn ${this.durableLsn}`,
      );
    }
    if (lsn <= this.committedLsn) return [];
    const taken = this.tail.splice(0, lsn - this.committedLsn);
    this.committedLsn = lsn;
    this.committedEpoch = taken[taken.length - 1]!.epoch;
    return taken;
  }

  /** No more of the snapshot will come: a new one must begin. */
  breakOff(): void {
    this.#open = undefined;
    this.snapshot = undefined;
  }

  readonly #pop: Undo = () => {
    this.tail.pop();
  };

  /** Records of a snapshot are missing now, so that it cannot go on. */
  readonly #close: Undo = () => {
    this.#open = undefined;
  };

  #cut(lsn: number, heals: boolean): Undo {
    const baseLsn = this.lastLsn - this.tail.length;
    if (lsn < baseLsn || lsn > this.lastLsn) {
      throw new RangeError(
        `slot ${this.slot}: truncation to lsn ${lsn} is not within ${baseLsn}..${this.lastLsn}`,
      );
    }
    const cut = { lsn, heals, tail: this.tail.slice(), durableLsn: this.durableLsn };
    const removed = this.tail.splice(lsn - baseLsn);
    this.#cuts.push(cut);
    this.durableLsn = Math.min(this.durableLsn, lsn);
    return () => {
      this.#cuts.pop();
      this.tail.push(...removed);
      this.durableLsn = cut.durableLsn;
    };
  }

  #appendOfSnapshot(record: LogRecord): Undo {
    const { kind, lsn, epoch, sequence } = record;
    if (kind === RecordKind.SnapshotBegin) return this.#begin(record);
    const open = this.#open;
    if (open === undefined) throw new RangeError(`slot ${this.slot}: there is no snapshot to go on with`);
    open.records = sequence;
    if (kind !== RecordKind.SnapshotEnd) return this.#close;
    this.#open = undefined;
    this.#bases.push({ lsn, epoch, heals: open.salvages });
    return () => void this.#bases.pop();
  }

  #begin(record: LogRecord): Undo {
    const baseLsn = this.lastLsn - this.tail.length;
    if (record.sequence > baseLsn) {
      throw new RangeError(
        `slot ${this.slot}: the snapshot is since lsn ${record.sequence}, the copy ends at ${baseLsn}`,
      );
    }
    const emptying = empties(record);
    const undoCut = this.#cut(baseLsn, emptying);
    if (emptying) this.#bases.push({ lsn: 0, epoch: 0, heals: false });
    this.#open = { records: record.hash, salvages: record.outcome === SALVAGES };
    return () => {
      this.#open = undefined;
      if (emptying) this.#bases.pop();
      undoCut();
    };
  }

  #settledOfSnapshot(record: LogRecord): void {
    if (record.kind === RecordKind.SnapshotBegin) {
      this.#cuts.shift();
      this.partial = true;
      if (empties(record)) this.#rebase(true);
    } else if (record.kind === RecordKind.SnapshotEnd) {
      this.partial = false;
      this.#rebase(this.#bases[0]!.heals);
    }
  }

  /** The oldest base is durable. */
  #rebase(heals: boolean): void {
    const { lsn, epoch } = this.#bases.shift()!;
    this.committedLsn = this.durableLsn = lsn;
    this.committedEpoch = epoch;
    for (const cut of this.#cuts) cut.durableLsn = lsn;
    if (heals) this.damage = undefined;
  }

  /** Whether what was appended does away with the damage. */
  #heals(): boolean {
    return this.#open?.salvages === true || this.#cuts.some(({ heals }) => heals) ||
      this.#bases.some(({ heals }) => heals);
  }
}
