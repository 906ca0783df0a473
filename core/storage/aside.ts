import { bytesFromBinary } from "../platform/binary.ts";
import { jsonField } from "../platform/json_bytes.ts";
import type { Clock, Disk, DiskFile } from "../platform/ports.ts";
import { type LogRecord, RecordKind } from "./record.ts";
import type { SlotState } from "./slot_state.ts";
import type { CommittedState } from "./state.ts";

/** After this much was written, others have their turn. */
const STEP_BYTES = 256 << 10;
const PAUSE_MS = 1;

export interface AsideParts {
  readonly clock: Clock;
  readonly disk: Disk;
  /** Where such files lie. */
  readonly folder: string;
  readonly state: CommittedState;
}

/** The file that keeps the slot's copy as it is now. */
export function asidePath(folder: string, { slot, lastEpoch, lastLsn }: SlotState): string {
  return `${folder}/slot-${slot}-epoch-${lastEpoch}-lsn-${lastLsn}.jsonl`;
}

/**
 * Writes what can be read of a copy to a file for people: a line of JSON for each entry, and for each record of the log
 * that is not known to be committed. The file is whole, or not there.
 */
export async function writeAside(slot: SlotState, parts: AsideParts): Promise<void> {
  const { disk, folder } = parts;
  disk.makeFolder(folder);
  const path = asidePath(folder, slot);
  const file = disk.open(`${path}.new`, "if-missing");
  try {
    file.truncate(0);
    await writeLines(file, lines(slot, parts.state), parts.clock);
    await file.sync();
  } finally {
    file.close();
  }
  disk.rename(`${path}.new`, path);
  disk.syncFolder(folder);
}

async function writeLines(file: DiskFile, lines: Iterable<string>, clock: Clock): Promise<void> {
  const encoder = new TextEncoder();
  let offset = 0;
  let text = "";
  const flush = () => {
    const bytes = encoder.encode(text);
    file.write(bytes, offset);
    offset += bytes.length;
    text = "";
  };
  for (const line of lines) {
    text += line;
    if (text.length < STEP_BYTES) continue;
    flush();
    await clock.sleep(PAUSE_MS);
  }
  flush();
}

/** The rows are those of the beginning: the state does not change meanwhile. */
function* lines(slot: SlotState, state: CommittedState): Generator<string> {
  const { places } = state;
  for (const row of [...slot.index.rows()]) {
    const key = places.key(row);
    const version = places.version(row);
    const found = state.isIntact(row) ? state.read(slot, key) : undefined;
    yield line(
      key,
      found === undefined ? { version, unreadable: true } : {
        ...jsonField("value", found.value),
        version,
      },
    );
  }
  for (const record of slot.tail) {
    const effect = effectOf(record);
    if (effect !== undefined) yield line(record.key, { ...effect, version: record.lsn, committed: false });
  }
}

function effectOf({ kind, value }: LogRecord): Record<string, unknown> | undefined {
  if (kind === RecordKind.Put) return jsonField("value", value);
  return kind === RecordKind.Delete ? { deleted: true } : undefined;
}

function line(key: string, fields: Record<string, unknown>): string {
  return JSON.stringify({ ...jsonField("key", bytesFromBinary(key)), ...fields }) + "\n";
}
