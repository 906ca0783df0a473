import { ByteReader, ByteWriter } from "./byte_io.ts";
import { crc32 } from "./crc.ts";
import { bufferOf } from "./log_record.ts";
import { readSessions, type SavedSessions, savedSessions, writeSessions } from "./session_bytes.ts";
import type { Damage } from "./slot.ts";
import type { SlotState } from "./slot_state.ts";

/*
 * The checkpoint's manifest: what the data files hold and where the log goes on from there. All of it stands in the
 * file twice, so that one broken byte does not cost the node its data:
 *
 *   u32 magic, u32 crc over the rest, f64 length of the body, body
 */
const MAGIC = 0x5043564b; // "KVCP"
const FORMAT = 2;
/** Of format 1: without snapshots. */
const FORMAT_MIN = 1;
/** What a slot's flags say. */
const [DAMAGED, PARTIAL, SNAPSHOT] = [1, 2, 4];
const HEAD_BYTES = 16;

export interface ManifestFile {
  /** Which of the prime-sharded files, and which rewriting of it. */
  readonly index: number;
  readonly generation: number;
  readonly size: number;
}

export interface ManifestSlot {
  readonly slot: number;
  readonly committedLsn: number;
  readonly committedEpoch: number;
  readonly blurredThroughLsn: number;
  /** The log has records through this one, on stable storage. */
  readonly durableLsn: number;
  readonly keys: number;
  readonly digest: number;
  readonly damage: Damage | undefined;
  /** The entries are what snapshots that were not finished have left. */
  readonly partial: boolean;
  /** The log begins with a snapshot that is being taken in, with records through this number. */
  readonly snapshotRecords: number | undefined;
  readonly sessions: SavedSessions;
}

export interface Manifest {
  /** The log after the checkpoint begins with this segment, at this position. */
  readonly segment: number;
  readonly position: number;
  /** The log was known to be on stable storage up to here. */
  readonly synced: number;
  /** Of each file the older generation first. */
  readonly files: readonly ManifestFile[];
  /** Those that were ever written, in order. */
  readonly slots: readonly ManifestSlot[];
}

/** That of a new folder. */
export const EMPTY_MANIFEST: Manifest = { segment: 1, position: 0, synced: 0, files: [], slots: [] };

/** What the manifest says of a slot as it is now. */
export function manifestSlot(state: SlotState): ManifestSlot {
  const { slot, committedLsn, committedEpoch, blurredThroughLsn, keys, digest, damage, partial } = state;
  const { durableLsn } = state.logged();
  const snapshotRecords = state.snapshot?.records;
  const sessions = savedSessions(state.sessions);
  return {
    ...{ slot, committedLsn, committedEpoch, blurredThroughLsn, durableLsn, keys, digest },
    ...{ damage, partial, snapshotRecords, sessions },
  };
}

/** The manifest's file, both copies. */
export function encodeManifest(manifest: Manifest): Uint8Array {
  const out = new ByteWriter();
  out.u32(FORMAT);
  out.u32(manifest.segment);
  out.f64(manifest.position);
  out.f64(manifest.synced);
  out.u32(manifest.files.length);
  for (const { index, generation, size } of manifest.files) {
    out.u32(index);
    out.u32(generation);
    out.f64(size);
  }
  out.u32(manifest.slots.length);
  for (const slot of manifest.slots) encodeSlot(slot, out);
  return twice(out.take());
}

/** The manifest from the first intact copy; undefined when there is none. */
export function decodeManifest(content: Uint8Array): { manifest: Manifest; intact: boolean } | undefined {
  const half = Math.floor(content.length / 2);
  const first = bodyOf(content.subarray(0, half));
  const second = bodyOf(content.subarray(half));
  const body = first ?? second;
  if (body === undefined) return undefined;
  return { manifest: decodeBody(body), intact: first !== undefined && second !== undefined };
}

function encodeSlot(slot: ManifestSlot, out: ByteWriter): void {
  out.u32(slot.slot);
  out.f64(slot.committedLsn);
  out.f64(slot.committedEpoch);
  out.f64(slot.blurredThroughLsn);
  out.f64(slot.durableLsn);
  out.u32(slot.keys);
  out.u32(slot.digest);
  const { damage, partial, snapshotRecords } = slot;
  out.u8(
    (damage === undefined ? 0 : DAMAGED) | (partial ? PARTIAL : 0) |
      (snapshotRecords === undefined ? 0 : SNAPSHOT),
  );
  if (damage !== undefined) {
    out.text(encodeURI(damage.file));
    out.f64(damage.offset);
    out.text(encodeURI(damage.reason));
  }
  if (snapshotRecords !== undefined) out.f64(snapshotRecords);
  writeSessions(slot.sessions, out);
}

function decodeBody(body: Uint8Array): Manifest {
  const from = new ByteReader(body);
  const format = from.u32();
  if (format < FORMAT_MIN || format > FORMAT) {
    throw new RangeError(`format ${format} is unknown, this program reads ${FORMAT_MIN} to ${FORMAT}`);
  }
  const segment = from.u32();
  const position = from.f64();
  const synced = from.f64();
  const files = from.times(
    from.u32(),
    () => ({ index: from.u32(), generation: from.u32(), size: from.f64() }),
  );
  const slots = from.times(from.u32(), () => decodeSlot(from, format));
  return { segment, position, synced, files, slots };
}

function decodeSlot(from: ByteReader, format: number): ManifestSlot {
  const lsns = {
    slot: from.u32(),
    committedLsn: from.f64(),
    committedEpoch: from.f64(),
    blurredThroughLsn: format === 1 ? 0 : from.f64(),
    durableLsn: from.f64(),
    keys: from.u32(),
    digest: from.u32(),
  };
  const flags = from.u8();
  const damage = (flags & DAMAGED) === 0
    ? undefined
    : { file: decodeURI(from.text()), offset: from.f64(), reason: decodeURI(from.text()) };
  const partial = (flags & PARTIAL) !== 0;
  const snapshotRecords = (flags & SNAPSHOT) === 0 ? undefined : from.f64();
  return { ...lsns, damage, partial, snapshotRecords, sessions: readSessions(from) };
}

function twice(body: Uint8Array): Uint8Array {
  const length = HEAD_BYTES + body.length;
  const content = new Uint8Array(2 * length);
  const { view } = bufferOf(content);
  view.setUint32(0, MAGIC, true);
  view.setFloat64(8, body.length, true);
  content.set(body, HEAD_BYTES);
  view.setUint32(4, crc32(content.subarray(8, length)), true);
  content.copyWithin(length, 0, length);
  return content;
}

function bodyOf(copy: Uint8Array): Uint8Array | undefined {
  if (copy.length < HEAD_BYTES) return undefined;
  const { view } = bufferOf(copy);
  if (view.getUint32(0, true) !== MAGIC || view.getFloat64(8, true) !== copy.length - HEAD_BYTES) {
    return undefined;
  }
  return crc32(copy.subarray(8)) === view.getUint32(4, true) ? copy.subarray(HEAD_BYTES) : undefined;
}
