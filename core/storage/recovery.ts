import { KvError } from "../platform/errors.ts";
import type { Disk, Log } from "../platform/ports.ts";
import { MANIFEST_NAME } from "./checkpoint.ts";
import { DamageReports } from "./damage.ts";
import { DataFiles } from "./data_files.ts";
import { type Identity, newIdentity, readIdentity } from "./identity.ts";
import { loadCheckpoint } from "./load.ts";
import { listSegments, readLog } from "./log_read.ts";
import { LogWriter, segmentPath } from "./log_writer.ts";
import { decodeManifest, EMPTY_MANIFEST, type Manifest } from "./manifest.ts";
import type { EngineLimits, EngineOptions } from "./options.ts";
import { Places } from "./places.ts";
import { replay } from "./replay.ts";
import { readWhole } from "./replace_file.ts";
import { SlotState } from "./slot_state.ts";
import { CommittedState } from "./state.ts";

/** What the folder holds, brought into memory. */
export interface Recovered {
  readonly slots: SlotState[];
  readonly files: DataFiles;
  readonly state: CommittedState;
  readonly damages: DamageReports;
  /** At the start of a new segment. */
  readonly writer: LogWriter;
  /** The log was damaged: its segments are to be kept. */
  readonly logDamaged: boolean;
}

/**
 * The folder's identity, or that of a new folder, whose incarnation is 0 as long as it is not written. Throws KvError
 * damaged when the folder has data but no identity, or the reverse.
 */
export function openIdentity(options: EngineOptions): { identity: Identity; manifest: Manifest } {
  const { disk, folder, random, clusterId, settings } = options;
  const identity = readIdentity(disk, folder);
  const manifest = readManifest(disk, folder, options.log);
  if (identity !== undefined) {
    if (manifest === undefined) {
      throw new KvError(
        "damaged",
        `${folder}/${MANIFEST_NAME} is missing; restore it from a copy of the folder`,
      );
    }
    return { identity, manifest };
  }
  // A crash while the folder was made leaves a manifest of nothing: the identity is written last.
  if (manifest !== undefined && manifest.slots.length > 0) {
    throw new KvError("damaged", `the folder ${folder} has data but no identity; restore its identity.json`);
  }
  return { identity: newIdentity(random, clusterId, settings), manifest: EMPTY_MANIFEST };
}

/** Loads the checkpoint, replays the log behind it, and begins a new segment. */
export function recover(
  options: EngineOptions & Pick<EngineLimits, "cacheBytesMax" | "segmentBytes">,
  identity: Identity,
  manifest: Manifest,
): Recovered {
  const { disk, folder, log, segmentBytes } = options;
  const { salt, settings } = identity;
  const places = new Places();
  const slots = Array.from({ length: settings.msn }, (_, slot) => new SlotState(slot, places));
  const files = new DataFiles(disk, `${folder}/files`, salt, settings.levels, options.cacheBytesMax);
  const damages = new DamageReports(log);
  const state = new CommittedState(files, places, damages.report);
  loadCheckpoint(manifest, state, slots, log);
  files.removeAllBut(new Set());
  const logFolder = makeLogFolder(disk, folder, identity);
  const read = readLog(disk, logFolder, salt, manifest.segment, manifest.position, manifest.synced);
  const tornAt = replay(read, manifest, state, slots, log);
  for (const { slot, damage } of slots) {
    if (damage !== undefined) log("error", `slot ${slot} is damaged: ${damage.reason}`, { ...damage });
  }
  // The new segment begins where the torn tail did, which is cut off thereby: see `readLog`.
  const segment = Math.max(manifest.segment, ...listSegments(disk, logFolder)) + 1;
  const begin = tornAt ?? read.end;
  const writer = new LogWriter(disk, logFolder, salt, segment, begin, read.synced, segmentBytes);
  return {
    slots,
    files,
    state,
    damages,
    writer,
    logDamaged: read.broken.some(({ position }) => position < read.synced),
  };
}

function makeLogFolder(disk: Disk, folder: string, identity: Identity): string {
  const path = `${folder}/log`;
  if (!disk.exists(path)) {
    disk.makeFolder(path);
    disk.syncFolder(folder);
  }
  if (identity.incarnation > 0) return path;
  for (const segment of listSegments(disk, path)) disk.remove(segmentPath(path, segment));
  return path;
}

function readManifest(disk: Disk, folder: string, log: Log): Manifest | undefined {
  const path = `${folder}/${MANIFEST_NAME}`;
  const content = readWhole(disk, path);
  if (content === undefined) return undefined;
  const decoded = decodeManifest(content);
  if (decoded === undefined) {
    throw new KvError("damaged", `both copies in ${path} are broken; restore it from a copy of the folder`);
  }
  if (!decoded.intact) {
    log("warn", "one copy of the checkpoint's manifest is broken, the other is used", { path });
  }
  return decoded.manifest;
}
