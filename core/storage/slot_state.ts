import { KeyIndex } from "./key_index.ts";
import type { Places } from "./places.ts";
import { type LogRecord, RecordKind } from "./record.ts";
import { ClientSessions } from "./sessions.ts";
import type { Damage, SlotView } from "./slot.ts";

/** Takes an append back; in the reverse order of the appends. */
export type Undo = () => void;

/** A truncation that is not durable yet. */
interface Cut {
  readonly lsn: number;
  /** The slot's durableLsn if the truncation is taken back. */
  durableLsn: number;
}

/** A slot in memory: how far its log goes, its uncommitted tail, and where the committed entries are. */
export class SlotState implements SlotView {
  /** committedLsn <= durableLsn <= lastLsn = committedLsn + tail.length */
  committedLsn = 0;
  committedEpoch = 0;
  durableLsn = 0;
  damage: Damage | undefined;
  bytes = 0;
  digest = 0;
  readonly sessions = new ClientSessions();
  /** The rows of the committed keys. */
  readonly index: KeyIndex;
  readonly tail: LogRecord[] = [];
  /** In order of appending. No group from before may raise durableLsn above them. */
  readonly #openCuts: Cut[] = [];

  constructor(readonly slot: number, places: Places) {
    this.index = new KeyIndex(places);
  }

  get keys(): number {
    return this.index.size;
  }

  get lastLsn(): number {
    return this.committedLsn + this.tail.length;
  }

  get lastEpoch(): number {
    return this.tail.length > 0 ? this.tail[this.tail.length - 1]!.epoch : this.committedEpoch;
  }

  /** Puts the record behind the tail, or cuts the tail; throws a RangeError when it does not fit there. */
  append(record: LogRecord): Undo {
    if (record.kind === RecordKind.Truncate) return this.#cut(record.lsn);
    if (record.lsn !== this.lastLsn + 1 || record.epoch < this.lastEpoch) {
      throw new RangeError(
        `slot ${this.slot}: record (epoch ${record.epoch}, lsn ${record.lsn}) does not follow ` +
          `(epoch ${this.lastEpoch}, lsn ${this.lastLsn})`,
      );
    }
    this.tail.push(record);
    return this.#pop;
  }

  /** Notes that the record is on stable storage; called for each once, in the order of appending. */
  settled(record: LogRecord): void {
    if (record.kind === RecordKind.Truncate) {
      this.#openCuts.shift();
      return;
    }
    let reach = record.lsn;
    for (const cut of this.#openCuts) {
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

  readonly #pop: Undo = () => {
    this.tail.pop();
  };

  #cut(lsn: number): Undo {
    if (lsn < this.committedLsn || lsn > this.lastLsn) {
      throw new RangeError(
        `slot ${this.slot}: truncation to lsn ${lsn} is not within ${this.committedLsn}..${this.lastLsn}`,
      );
    }
    const removed = this.tail.splice(lsn - this.committedLsn);
    const cut = { lsn, durableLsn: this.durableLsn };
    this.#openCuts.push(cut);
    this.durableLsn = Math.min(this.durableLsn, lsn);
    return () => {
      this.#openCuts.pop();
      this.tail.push(...removed);
      this.durableLsn = cut.durableLsn;
    };
  }
}
