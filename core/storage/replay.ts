import type { Log } from "../platform/ports.ts";
import { COMMIT_MARK } from "./log_record.ts";
import type { ReadLog } from "./log_read.ts";
import type { Broken, ScannedRecord } from "./log_scan.ts";
import type { Manifest } from "./manifest.ts";
import { type LogRecord, RecordKind } from "./record.ts";
import type { SlotState } from "./slot_state.ts";
import type { CommittedState } from "./state.ts";

/** What a slot's log was found to lack. */
interface Track {
  /** LSN of the last record, whether it was read or is known to have been there. */
  lastLsn: number;
  lastEpoch: number;
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
  run.records(merged(read.records, damage).filter(({ position }) => position < cutAt));
  if (torn !== undefined) {
    log("info", "the log's torn tail is cut off", { file: torn.file, offset: torn.offset });
  }
  for (const { file, offset } of damage) log("error", "the log is damaged", { file, offset });
  run.assign(damage, log);
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
    this.#tracks = slots.map(({ committedLsn, committedEpoch, damage }) => ({
      lastLsn: committedLsn,
      lastEpoch: committedEpoch,
      broken: damage !== undefined,
    }));
  }

  records(scanned: readonly (ScannedRecord & { readonly broken: boolean })[]): void {
    for (const { record, position, broken } of scanned) {
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
    if (record.kind === RecordKind.Truncate) return this.#truncate(slot, track, record);
    if (record.lsn <= slot.committedLsn || this.#isCopy(slot, record)) return;
    if (record.lsn !== track.lastLsn + 1) this.#gap(track, record.lsn);
    track.lastLsn = record.lsn;
    track.lastEpoch = Math.max(track.lastEpoch, record.epoch);
    track.broken ||= broken;
    if (track.broken) return;
    slot.append(record);
    slot.settled(record);
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
      this.#gap(track, lsn + 1);
      track.lastLsn = lsn;
      track.lastEpoch = Math.max(track.lastEpoch, epoch);
    }
    if (track.broken) return;
    for (const record of slot.take(lsn)) this.state.apply(slot, record);
  }

  #truncate(slot: SlotState, track: Track, record: LogRecord): void {
    if (record.lsn > track.lastLsn) this.#gap(track, record.lsn + 1);
    track.lastLsn = record.lsn;
    if (track.broken || record.lsn < slot.committedLsn) return;
    slot.append(record);
    slot.settled(record);
  }

  /** Behind the checkpoint's own records: what it says to be in the log must have been read. */
  #checkVouched(): void {
    for (const { slot, durableLsn } of this.manifest.slots) {
      const track = this.#tracks[slot]!;
      if (track.lastLsn >= durableLsn) continue;
      track.broken = true;
      track.lastLsn = durableLsn;
    }
    this.#vouched = true;
  }
}

/** The records in order of position, among them those of which only the head could be read. */
function merged(records: readonly ScannedRecord[], damage: readonly Broken[]) {
  const all = records.map(({ record, position }) => ({ record, position, broken: false }));
  for (const { record, position } of damage) {
    if (record !== undefined) all.push({ record, position, broken: true });
  }
  return damage.length === 0 ? all : all.sort((a, b) => a.position - b.position);
}
