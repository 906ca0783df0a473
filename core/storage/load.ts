import type { Log } from "../platform/ports.ts";
import type { DataFile } from "./data_file.ts";
import { CLEAR, PUT } from "./data_record.ts";
import { DataScan, type ScannedData, whyBroken } from "./data_scan.ts";
import type { Manifest, ManifestSlot } from "./manifest.ts";
import type { Damage } from "./slot.ts";
import type { SlotState } from "./slot_state.ts";
import type { CommittedState } from "./state.ts";

/** A record with a broken value; it matters if the index still points to it in the end. */
interface Suspect {
  readonly record: ScannedData;
  readonly file: DataFile;
}

/**
 * Builds the committed state of a checkpoint from its data files, and finds out which slots are damaged: the entries
 * that were read must be, slot by slot, those that the manifest counted and summed up.
 */
export function loadCheckpoint(
  manifest: Manifest,
  state: CommittedState,
  slots: readonly SlotState[],
  log: Log,
): void {
  const suspects: Suspect[] = [];
  const broken: Damage[] = [];
  for (const { index, generation, size } of manifest.files) {
    loadFile(state.files.restore(index, generation, size), state, slots, suspects, broken);
  }
  for (const { file, offset, reason } of broken) log("warn", `broken data file: ${reason}`, { file, offset });
  for (const saved of manifest.slots) restoreSlot(slots[saved.slot]!, saved, broken);
  for (const { record, file } of suspects) {
    log("warn", "broken data file: the value of a record is broken", {
      file: file.path,
      offset: record.offset,
    });
    const slot = slots[record.slot]!;
    const row = state.rowOf(slot, record.key);
    if (
      row < 0 || state.places.file(row) !== file.id || state.places.offset(row) !== record.offset
    ) continue;
    slot.damage ??= { file: file.path, offset: record.offset, reason: "the value of a record is broken" };
  }
}

function loadFile(
  file: DataFile,
  state: CommittedState,
  slots: readonly SlotState[],
  suspects: Suspect[],
  broken: Damage[],
): void {
  const scan = new DataScan(file);
  for (let record = scan.next(); record !== undefined; record = scan.next()) {
    const slot = slots[record.slot];
    if (slot === undefined) {
      broken.push({ file: file.path, offset: record.offset, reason: `there is no slot ${record.slot}` });
      continue;
    }
    const { kind, key, version, offset, valueBytes, checksum } = record;
    if (kind === PUT) state.put(slot, { key, version, file, offset, valueBytes, checksum });
    else if (kind === CLEAR) state.removeIn(slot, file.index);
    else state.remove(slot, key);
    if (!record.intact) suspects.push({ record, file });
  }
  for (const range of scan.broken) {
    broken.push({ file: file.path, offset: range.offset, reason: whyBroken(range) });
  }
  file.damaged = scan.broken.length > 0 || suspects.some((suspect) => suspect.file === file);
}

function restoreSlot(slot: SlotState, saved: ManifestSlot, broken: readonly Damage[]): void {
  slot.committedLsn = slot.durableLsn = saved.committedLsn;
  slot.committedEpoch = saved.committedEpoch;
  slot.blurredThroughLsn = saved.blurredThroughLsn;
  slot.damage = saved.damage;
  slot.partial = saved.partial;
  slot.sessions.replace(saved.sessions);
  if (slot.keys === saved.keys && slot.digest === saved.digest) return;
  slot.damage ??= broken[0] ??
    { file: "checkpoint", offset: 0, reason: "the slot's entries are not those that the checkpoint counted" };
}
