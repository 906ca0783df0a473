import { KvError } from "../platform/errors.ts";
import { DiskError } from "../platform/ports.ts";
import { fnv1a32Binary } from "../ring/hash.ts";
import type { DataFile } from "./data_file.ts";
import type { DataFiles } from "./data_files.ts";
import {
  CLEAR,
  DATA_HEAD_BYTES,
  dataChecksum,
  dataRecordBytes,
  DataRecordEncoder,
  PUT,
  TOMBSTONE,
} from "./data_record.ts";
import { KeyIndex } from "./key_index.ts";
import type { Places } from "./places.ts";
import { type LogRecord, RecordKind } from "./record.ts";
import type { Damage } from "./slot.ts";
import type { SlotState } from "./slot_state.ts";

const NOTHING = new Uint8Array(0);

/** A committed entry. `value` must not be changed, and is empty when only keys were asked for. */
export interface Entry {
  readonly key: string;
  readonly value: Uint8Array;
  readonly version: number;
}

/** A committed value above some version; undefined for one that is not. */
export interface EntrySince {
  readonly value: Uint8Array | undefined;
  readonly version: number;
}

/** A record of a data file, as the index needs it. */
export interface Placed {
  readonly key: string;
  readonly version: number;
  readonly file: DataFile;
  readonly offset: number;
  readonly valueBytes: number;
  readonly checksum: number;
}

/**
 * The committed entries of all slots: keys in memory, values in the data files. Applying is the only change, and the
 * result depends on the committed records alone.
 */
export class CommittedState {
  readonly #encoder = new DataRecordEncoder();
  /** Told before a row's record stops being the one that counts. */
  leaving: (slot: SlotState, row: number) => void = () => {};

  /** @param onDamage told when a record turns out to be broken as it is read */
  constructor(
    readonly files: DataFiles,
    readonly places: Places,
    readonly onDamage: (slot: SlotState, damage: Damage) => void,
  ) {}

  apply(slot: SlotState, record: LogRecord): void {
    if (record.kind === RecordKind.Put) {
      this.install(slot, record);
    } else if (record.kind === RecordKind.Delete && this.#isOlder(slot, record)) {
      this.#append(slot, TOMBSTONE, record);
      this.remove(slot, record.key);
    }
    slot.sessions.apply(record);
  }

  /** Whether the key has a value that the record is later than: a snapshot may have brought a later one. */
  #isOlder(slot: SlotState, { key, hash, lsn }: LogRecord): boolean {
    const version = this.versionOf(slot, key, hash);
    return version > 0 && version < lsn;
  }

  /** Puts an entry, whatever version of the key there is. */
  install(slot: SlotState, record: LogRecord): void {
    this.put(slot, this.#append(slot, PUT, record), record.hash);
  }

  /** Takes an entry out that a snapshot does not have. */
  drop(slot: SlotState, row: number): void {
    const [key, lsn] = [this.places.key(row), this.places.version(row)];
    this.#append(slot, TOMBSTONE, { key, lsn, hash: 0, value: NOTHING });
    this.remove(slot, key);
  }

  /** Takes all entries out, also those in the files that could not be read. */
  clear(slot: SlotState): void {
    for (const shard of this.files.shards) {
      if ((shard.older?.size ?? 0) + (shard.current?.size ?? 0) === 0) continue;
      const file = this.files.currentOf(shard);
      file.append(this.#encoder.encode(CLEAR, slot.slot, 0, "", NOTHING, file.seed, file.size));
    }
    for (const row of slot.index.rows()) {
      this.#discount(slot, this.places.keyBytes(row), row);
      this.places.release(row);
    }
    slot.index = new KeyIndex(this.places);
  }

  /** Committed version of the key; 0 when it has none. */
  versionOf(slot: SlotState, key: string, hash?: number): number {
    const row = this.rowOf(slot, key, hash);
    return row < 0 ? 0 : this.places.version(row);
  }

  /** A value is not to be changed. Throws KvError damaged when the record read is not the one that was written. */
  read(slot: SlotState, key: string, hash?: number): { value: Uint8Array; version: number } | undefined {
    const row = this.rowOf(slot, key, hash);
    if (row < 0) return undefined;
    return { value: this.#valueAt(slot, key, row), version: this.places.version(row) };
  }

  /** The same, but without the value where the version is not above `since`. The value lasts until the next call. */
  readSince(slot: SlotState, key: string, hash: number, since: number): EntrySince | undefined {
    const row = this.rowOf(slot, key, hash);
    if (row < 0) return undefined;
    const version = this.places.version(row);
    return { value: version <= since ? undefined : this.#valueAt(slot, key, row, true), version };
  }

  /** Whether the row's record is on the disk as it was written: past the cache, which may know better. */
  isIntact(row: number): boolean {
    const { places } = this;
    const length = dataRecordBytes(places.keyBytes(row), places.valueBytes(row));
    try {
      const record = this.files.byId(places.file(row)).readAside(places.offset(row), length);
      return dataChecksum(record) === places.checksum(row);
    } catch (error) {
      if (error instanceof DiskError) return false;
      throw error;
    }
  }

  /** The key's row in `places`; -1 when it has none. */
  rowOf(slot: SlotState, key: string, hash = 0): number {
    return slot.index.get(key, hashOf(key, hash));
  }

  *keys(slot: SlotState): Generator<string> {
    for (const row of slot.index.rows()) yield this.places.key(row);
  }

  /**
   * The slot's entries as they are now, however long it takes to take them: files only grow, so what an entry was
   * stays where it was until its file has been compacted. One that is gone by then throws `unavailable`.
   */
  entries(slot: SlotState, keysOnly: boolean): Generator<Entry> {
    const { places, files } = this;
    const placed = Array.from(slot.index.rows(), (row): Placed => ({
      key: places.key(row),
      version: places.version(row),
      file: files.byId(places.file(row)),
      offset: places.offset(row),
      valueBytes: places.valueBytes(row),
      checksum: places.checksum(row),
    }));
    return this.#read(slot, placed, keysOnly);
  }

  *#read(slot: SlotState, placed: readonly Placed[], keysOnly: boolean): Generator<Entry> {
    for (const each of placed) {
      const { key, version } = each;
      if (keysOnly) {
        yield { key, value: NOTHING, version };
        continue;
      }
      const row = this.rowOf(slot, key);
      const isCurrent = row >= 0 && this.places.version(row) === version;
      yield {
        key,
        value: isCurrent ? this.#valueAt(slot, key, row) : this.#formerValue(slot, each),
        version,
      };
    }
  }

  /** Of an entry that has been superseded. */
  #formerValue({ slot }: SlotState, { key, file, offset, valueBytes, checksum }: Placed): Uint8Array {
    const { files } = this;
    if (files.isInUse(file)) {
      const record = file.readAside(offset, dataRecordBytes(key.length, valueBytes));
      if (dataChecksum(record) === checksum) return record.subarray(DATA_HEAD_BYTES + key.length);
    }
    throw new KvError("unavailable", `slot ${slot} has changed while it was read; read it again`, { slot });
  }

  /** Points the index to a put. Of one key they come in the order in which they were made, also from the files. */
  put(slot: SlotState, placed: Placed, knownHash = 0): void {
    const { key, version, file, offset, valueBytes, checksum } = placed;
    const hash = hashOf(key, knownHash);
    let row = slot.index.get(key, hash);
    if (row < 0) {
      row = this.places.add(key);
      slot.index.add(hash, row);
    } else {
      this.#discount(slot, key.length, row);
    }
    this.places.set(row, version, file.id, offset, valueBytes, checksum);
    file.liveBytes += dataRecordBytes(key.length, valueBytes);
    slot.bytes += key.length + valueBytes;
    slot.digest = (slot.digest + checksum) >>> 0;
  }

  /** Takes the key out of the index. */
  remove(slot: SlotState, key: string): void {
    const row = slot.index.delete(key, fnv1a32Binary(key));
    if (row < 0) return;
    this.#discount(slot, key.length, row);
    this.places.release(row);
  }

  /** Takes those keys of the slot out of the index that lie in a file of this number. */
  removeIn(slot: SlotState, fileIndex: number): void {
    const { files, places } = this;
    const rows = [...slot.index.rows()].filter((row) => files.byId(places.file(row)).index === fileIndex);
    for (const row of rows) this.remove(slot, places.key(row));
  }

  /** Puts the same entry into another file, for compaction; returns its offset there. */
  copy(file: DataFile, slot: number, version: number, key: string, value: Uint8Array): number {
    return file.append(this.#encoder.encode(PUT, slot, version, key, value, file.seed, file.size));
  }

  #discount(slot: SlotState, keyBytes: number, row: number): void {
    this.leaving(slot, row);
    const valueBytes = this.places.valueBytes(row);
    this.files.byId(this.places.file(row)).liveBytes -= dataRecordBytes(keyBytes, valueBytes);
    slot.bytes -= keyBytes + valueBytes;
    slot.digest = (slot.digest - this.places.checksum(row)) >>> 0;
  }

  #append(slot: SlotState, kind: number, record: Pick<LogRecord, "key" | "lsn" | "value" | "hash">): Placed {
    const { key, lsn: version, value } = record;
    const hash = hashOf(key, record.hash);
    const file = this.files.currentOf(this.files.shardOf(hash));
    const bytes = this.#encoder.encode(kind, slot.slot, version, key, value, file.seed, file.size);
    const offset = file.append(bytes);
    return { key, version, file, offset, valueBytes: value.length, checksum: this.#encoder.checksum };
  }

  #valueAt(slot: SlotState, key: string, row: number, briefly = false): Uint8Array {
    const { places } = this;
    const file = this.files.byId(places.file(row));
    const offset = places.offset(row);
    const length = dataRecordBytes(key.length, places.valueBytes(row));
    let reason = "the checksum of a record does not match";
    try {
      const record = briefly ? file.peek(offset, length) : file.read(offset, length);
      if (dataChecksum(record) === places.checksum(row)) return record.subarray(DATA_HEAD_BYTES + key.length);
    } catch (error) {
      if (!(error instanceof DiskError)) throw error;
      reason = `a record cannot be read (${error.message})`;
    }
    file.damaged = true;
    this.onDamage(slot, { file: file.path, offset, reason });
    throw new KvError("damaged", `slot ${slot.slot} is damaged: ${reason} (${file.path}, byte ${offset})`, {
      slot: slot.slot,
    });
  }
}

/** The key's hash, which `hash` is unless that is 0: then it may not be known. */
function hashOf(key: string, hash: number): number {
  return hash === 0 ? fnv1a32Binary(key) : hash;
}
