import {
  bareRecord,
  containsAll,
  empties,
  isOfSnapshot,
  type LogRecord,
  RecordKind,
  SALVAGES,
} from "./record.ts";
import { sessionsFromBytes } from "./session_bytes.ts";
import type { Damage } from "./slot.ts";
import type { SlotState, SnapshotSoFar } from "./slot_state.ts";
import type { CommittedState } from "./state.ts";

/** Notes that the record is on stable storage, and does what records of snapshots do then. */
export function settle(state: CommittedState, slot: SlotState, record: LogRecord): void {
  if (!isOfSnapshot(record)) return slot.settled(record);
  const { damage } = slot;
  slot.settled(record);
  if (record.kind === RecordKind.SnapshotBegin) return begin(state, slot, record, damage);
  const snapshot = slot.snapshot!;
  snapshot.records = record.sequence;
  if (record.kind === RecordKind.SnapshotPut) put(state, slot, snapshot, record);
  else if (record.kind === RecordKind.SnapshotKeep) keep(state, slot, snapshot, record);
  else if (record.kind === RecordKind.SnapshotResults) addResults(snapshot, record);
  else end(state, slot, snapshot, record);
}

/** The records that a new log must begin with so that the snapshot can go on in it. */
export function carriedSnapshot(state: CommittedState, slot: SlotState): LogRecord[] {
  if (slot.snapshot === undefined) return [];
  const { begin, named, records } = slot.snapshot;
  const before = records - (named?.size ?? 0);
  const carried: LogRecord[] = [{ ...begin, hash: before }];
  for (const row of named ?? []) {
    const keep = bareRecord(RecordKind.SnapshotKeep, slot.slot, begin.epoch, state.places.version(row));
    carried.push({ ...keep, key: state.places.key(row), sequence: before + carried.length });
  }
  return carried;
}

/**
 * What takes a copy's place when it is dropped: the slot as it was before there was anything of it. In one group, so
 * that a full disk takes back both; a crash may leave the begin alone, and so an incomplete slot.
 */
export function snapshotOfNothing(slot: number): LogRecord[] {
  return [RecordKind.SnapshotBegin, RecordKind.SnapshotEnd].map((kind) => bareRecord(kind, slot, 0, 0));
}

function begin(state: CommittedState, slot: SlotState, record: LogRecord, damage: Damage | undefined): void {
  if (empties(record)) {
    // A copy that could not be read as a whole may have more than is known of it.
    if (slot.keys > 0 || damage !== undefined) state.clear(slot);
    slot.sessions.replace({ forgotten: "", clients: [] });
    slot.blurredThroughLsn = 0;
  }
  const named = containsAll(record) ? undefined : new Set<number>();
  // The value is a view of what was received or read, which would be kept with it.
  slot.snapshot = { begin: { ...record, value: record.value.slice() }, records: record.hash, named };
}

function addResults(snapshot: SnapshotSoFar, { value }: LogRecord): void {
  const before = snapshot.begin.value;
  const all = new Uint8Array(before.length + value.length);
  all.set(before);
  all.set(value, before.length);
  snapshot.begin = { ...snapshot.begin, value: all };
}

function put(state: CommittedState, slot: SlotState, { named }: SnapshotSoFar, record: LogRecord): void {
  state.install(slot, record);
  named?.add(state.rowOf(slot, record.key, record.hash));
}

function keep(state: CommittedState, slot: SlotState, snapshot: SnapshotSoFar, record: LogRecord): void {
  const row = state.rowOf(slot, record.key, record.hash);
  const version = row < 0 ? 0 : state.places.version(row);
  // What a copy keeps of itself may have rotted since.
  const isThere = version === record.lsn && (snapshot.begin.outcome !== SALVAGES || state.isIntact(row));
  if (isThere) return void snapshot.named?.add(row);
  const reason = version === record.lsn
    ? "an entry that was salvaged cannot be read any more"
    : `the copy has version ${version} of a key instead of version ${record.lsn}`;
  snapshot.damage ??= { file: "snapshot", offset: 0, reason };
  state.onDamage(slot, snapshot.damage);
}

function end(
  state: CommittedState,
  slot: SlotState,
  { begin, named, damage }: SnapshotSoFar,
  record: LogRecord,
): void {
  if (named !== undefined) {
    for (const row of [...slot.index.rows()]) if (!named.has(row)) state.drop(slot, row);
  }
  slot.sessions.replace(sessionsFromBytes(begin.value));
  slot.blurredThroughLsn = Math.max(slot.blurredThroughLsn, record.lowestUnfinished);
  slot.snapshot = undefined;
  // The end of one that salvages has healed the damage that was there before it, and no other.
  if (damage !== undefined) state.onDamage(slot, damage);
}
