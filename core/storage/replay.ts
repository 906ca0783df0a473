import type { Log } from "../platform/ports.ts";
import { COMMIT_MARK } from "./log_record.ts";
import type { ReadLog } from "./log_read.ts";
import type { Broken, ScannedRecord } from "./log_scan.ts";
import type { Manifest } from "./manifest.ts";
import { containsAll, isOfSnapshot, type LogRecord, RecordKind, SALVAGES } from "./record.ts";
import type { SlotState } from "./slot_state.ts";
import { settle } from "./snapshot.ts";
import type { CommittedState } from "./state.ts";

/** `broken`: only its head could be read. */
interface ReplayedRecord extends ScannedRecord {
  readonly broken: boolean;
}

/** What a slot's log was found to lack. */
interface Track {
  /** LSN of the last record, whether it was read or is known to have been there. */
  lastLsn: number;
  lastEpoch: number;
  /** Number of the last record of the snapshot that is being taken in; undefined: none is. */
  snapshot: number | undefined;
  /** Nothing but a snapshot may come. */
  incomplete: boolean;
  /** The slot's records cannot be used from some point on. */
  broken: boolean;
}

/**
 * Brings the slots from the checkpoint to the end of the log. What is marked as committed is applied, the rest becomes
 * the slots' tails. Returns where a torn tail begins; undefined when there is none.
 *
 * Damage is pinned to slots by their LSNs: if as many records are missing in the slots' sequences as are lost in the
 * file, then those slots are all that is concerned. Otherwise it may be any slot.
 */
export function replay(
  read: ReadLog,
  manifest: Manifest,
  state: CommittedState,
  slots: readonly SlotState[],
  log: Log,
): number | undefined {
  const torn = read.broken.find(({ position }) => position >= read.synced);
  const damage = read.broken.filter(({ position }) => position < read.synced);
  const cutAt = torn?.position ?? Infinity;
  const run = new Replay(manifest, state, slots);
  run.records(merged(read.records(), damage), cutAt);
  if (torn !== undefined) {
    log("info", "the log's torn tail is cut off", { file: torn.file, offset: torn.offset });
  }
  for (const { file, offset } of damage) log("error", "the log is damaged", { file, offset });
  run.assign(damage, log);
  for (const slot of slots) slot.breakOff();
  return torn?.position;
}

class Replay {
  readonly #tracks: Track[];
  /** Records that the LSNs show to be missing, behind what the manifest vouches for. */
  #missing = 0;
  #vouched = false;

  constructor(
    readonly manifest: Manifest,
    readonly state: CommittedState,
    readonly slots: readonly SlotState[],
  ) {
    this.#tracks = slots.map(({ committedLsn, committedEpoch, damage, partial }) => ({
      lastLsn: committedLsn,
      lastEpoch: committedEpoch,
      snapshot: undefined,
      incomplete: partial,
      broken: damage !== undefined,
    }));
  }

  records(scanned: Iterable<ReplayedRecord>, cutAt: number): void {
    for (const { record, position, broken } of scanned) {
      if (position >= cutAt) break;
      if (!this.#vouched && position >= this.manifest.synced) this.#checkVouched();
      const slot = this.slots[record.slot];
      if (slot !== undefined) this.#take(slot, this.#tracks[record.slot]!, record, broken);
    }
    if (!this.#vouched) this.#checkVouched();
  }

  /** Marks the slots that the damage concerns. */
  assign(damage: readonly Broken[], log: Log): void {
    const lost = damage.filter(({ end }) => end > this.manifest.synced).reduce(
      (sum, range) => sum + range.lost,
      0,
    );
    const everySlot = lost > 0 && lost !== this.#missing;
    const first = damage.find((range) => range.lost > 0) ?? damage[0];
    for (const slot of this.slots) {
      const track = this.#tracks[slot.slot]!;
      if (!track.broken && !everySlot) continue;
      const at = damage.find(({ record }) => record?.slot === slot.slot) ?? first;
      const known = at === undefined ? { file: "log", offset: 0 } : { file: at.file, offset: at.offset };
      slot.damage ??= { ...known, reason: "records of the log are broken or missing" };
      slot.tail.length = 0;
      slot.durableLsn = slot.committedLsn;
      // Nothing below an epoch that was ever seen may be accepted.
      slot.committedEpoch = Math.max(slot.committedEpoch, track.lastEpoch);
    }
    if (everySlot) {
      log("error", "it cannot be told which slots the lost records belong to: all are set aside");
    }
  }

  #take(slot: SlotState, track: Track, record: LogRecord, broken: boolean): void {
    if (record.kind === COMMIT_MARK) return this.#commit(slot, track, record);
    if (isOfSnapshot(record)) return this.#ofSnapshot(slot, track, record, broken);
    if (record.kind === RecordKind.Truncate) return this.#truncate(slot, track, record);
    if (record.lsn <= slot.committedLsn || this.#isCopy(slot, record)) return;
    if (track.incomplete) this.#endMissing(track, record.lsn);
    if (record.lsn !== track.lastLsn + 1) this.#gap(track, record.lsn);
    track.lastLsn = record.lsn;
    track.lastEpoch = Math.max(track.lastEpoch, record.epoch);
    track.broken ||= broken;
    if (track.broken) return;
    this.#settle(slot, record);
  }

  #settle(slot: SlotState, record: LogRecord): void {
    slot.append(record);
    settle(this.state, slot, record);
  }

  #ofSnapshot(slot: SlotState, track: Track, record: LogRecord, broken: boolean): void {
    if (record.kind === RecordKind.SnapshotBegin) return this.#begin(slot, track, record, broken);
    const { sequence } = record;
    const last = track.snapshot ?? -1;
    if (sequence !== last + 1) {
      track.broken = true;
      if (this.#vouched) this.#missing += sequence > last ? sequence - last - 1 : 1;
    }
    track.snapshot = sequence;
    track.broken ||= broken;
    if (record.kind === RecordKind.SnapshotEnd) {
      track.snapshot = undefined;
      track.incomplete = false;
      track.lastLsn = record.lsn;
      track.lastEpoch = Math.max(track.lastEpoch, record.epoch);
    }
    if (!track.broken) this.#settle(slot, record);
  }

  #begin(slot: SlotState, track: Track, record: LogRecord, broken: boolean): void {
    const { hash: before, lowestUnfinished: committedLsn } = record;
    if (committedLsn > track.lastLsn) this.#gap(track, committedLsn + 1);
    track.snapshot = before;
    track.incomplete = true;
    track.lastLsn = committedLsn;
    // A snapshot that contains all needs nothing of what was there; one that salvages names all that it needs.
    track.broken = broken || (track.broken && !containsAll(record) && record.outcome !== SALVAGES);
    track.broken ||= committedLsn > slot.durableLsn;
    if (track.broken) return;
    for (const each of slot.take(committedLsn)) this.state.apply(slot, each);
    this.#settle(slot, record);
  }

  /** The slot's log goes on with `lsn`, though its snapshot has no end. */
  #endMissing(track: Track, lsn: number): void {
    track.broken = true;
    track.incomplete = false;
    track.snapshot = undefined;
    track.lastLsn = lsn - 1;
    if (this.#vouched) this.#missing++;
  }

  /** Whether the record was carried forward from an older segment that has been read too. */
  #isCopy(slot: SlotState, record: LogRecord): boolean {
    return slot.tail[record.lsn - slot.committedLsn - 1]?.epoch === record.epoch;
  }

  /** Records are missing below `lsn`; one that comes again lacks the truncation before it. */
  #gap(track: Track, lsn: number): void {
    track.broken = true;
    if (this.#vouched) this.#missing += lsn > track.lastLsn ? lsn - track.lastLsn - 1 : 1;
  }

  #commit(slot: SlotState, track: Track, { lsn, epoch }: LogRecord): void {
    if (lsn > track.lastLsn) {
      if (track.incomplete) this.#endMissing(track, lsn + 1);
      else this.#gap(track, lsn + 1);
      track.lastLsn = lsn;
      track.lastEpoch = Math.max(track.lastEpoch, epoch);
    }
    if (track.broken) return;
    for (const record of slot.take(lsn)) this.state.apply(slot, record);
  }

  #truncate(slot: SlotState, track: Track, record: LogRecord): void {
    if (track.incomplete) this.#endMissing(track, record.lsn + 1);
    if (record.lsn > track.lastLsn) this.#gap(track, record.lsn + 1);
    track.lastLsn = record.lsn;
    if (track.broken || record.lsn < slot.committedLsn) return;
    this.#settle(slot, record);
  }

  /** Behind the checkpoint's own records: what it says to be in the log must have been read. */
  #checkVouched(): void {
    for (const { slot, durableLsn, snapshotRecords } of this.manifest.slots) {
      const track = this.#tracks[slot]!;
      if (track.lastLsn >= durableLsn && track.snapshot === snapshotRecords) continue;
      track.broken = true;
      track.lastLsn = durableLsn;
      track.snapshot = snapshotRecords;
    }
    this.#vouched = true;
  }
}

/** The records in order of position, among them those of which only the head could be read. */
function* merged(intact: Iterable<ScannedRecord>, damage: readonly Broken[]): Generator<ReplayedRecord> {
  const heads = damage.flatMap(({ record, position }) => record === undefined ? [] : [{ record, position }]);
  for (const each of intact) {
    while (heads.length > 0 && heads[0]!.position < each.position) yield { ...heads.shift()!, broken: true };
    yield { record: each.record, position: each.position, broken: false };
  }
  for (const head of heads) yield { ...head, broken: true };
}
