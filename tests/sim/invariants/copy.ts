import type { LogRecord } from "../../../core/storage/record.ts";
import type { LogView, ReplicaView } from "./view.ts";

/** The last that was seen of one slot's copy at one node; it outlives the node's processes, as the disk does. */
export class Copy {
  incarnation = 0;
  lastLsn = 0;
  lastEpoch = 0;
  durableLsn = 0;
  committedLsn = 0;
  highestEpoch = 0;
  /** Damaged, or a snapshot that is only partly there: nothing is expected of it. */
  unusable = false;
  incomplete = false;
  /** By place of the LSN in its lineage, above the committed ones at least. */
  readonly epochs: (number | undefined)[] = [0];
  /** When the node last deleted it, it had all through here of the slot's history, and the ring was in that epoch. */
  deleted = { durableLsn: 0, inEpoch: 0 };
  /** What it was at `lastLsn`: another object there is another record. */
  lastRecord: LogRecord | undefined;
  /** The epoch that the node took itself for the owner of; 0: none. */
  ownEpoch = 0;
  /** Whether it would have answered at the last look. */
  answers = false;
  /** The commit mark when that epoch began. */
  committedAtStart = 0;
  /** The epoch in which it went on although the ring had a later one. */
  replacedInEpoch = 0;
  /** The epoch in which it was first seen to answer. */
  answeredInEpoch = 0;
  /** What was last compared with the ring. */
  checkedIsr: unknown;
  checkedEntry: unknown;

  constructor(readonly nodeId: string, readonly slot: number) {}

  /** Whether nothing has happened to the log since the last look. */
  isAt(incarnation: number, { log, highestEpoch }: ReplicaView): boolean {
    return log.lastLsn === this.lastLsn && log.tail.at(-1) === this.lastRecord &&
      log.durableLsn === this.durableLsn &&
      log.committedLsn === this.committedLsn && log.lastEpoch === this.lastEpoch &&
      incarnation === this.incarnation && highestEpoch === this.highestEpoch &&
      isUnusable(log) === this.unusable && (log.incomplete ?? false) === this.incomplete;
  }

  /** The log goes on in another lineage: nothing that was seen of it says anything about what is there now. */
  jumped({ committedLsn }: LogView): void {
    this.lastLsn = this.durableLsn = this.committedLsn = committedLsn - 1;
    this.lastEpoch = 0;
    this.lastRecord = undefined;
    this.epochs.length = 0;
  }

  take(incarnation: number, { log, highestEpoch }: ReplicaView): void {
    this.incarnation = incarnation;
    this.lastLsn = log.lastLsn;
    this.lastEpoch = log.lastEpoch;
    this.lastRecord = log.tail.at(-1);
    this.durableLsn = log.durableLsn;
    this.committedLsn = log.committedLsn;
    this.highestEpoch = highestEpoch;
    this.unusable = isUnusable(log);
    this.incomplete = log.incomplete ?? false;
  }
}

export function isUnusable(log: LogView): boolean {
  return log.damage !== undefined || (log.incomplete ?? false);
}
