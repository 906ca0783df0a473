import type { Disk } from "../platform/ports.ts";
import { type Broken, type ScannedRecord, type ScannedSegment, scanSegment } from "./log_scan.ts";
import { segmentOf, segmentPath } from "./log_writer.ts";
import { readWhole } from "./replace_file.ts";

/** All that is left of a node's log after a checkpoint. */
export interface ReadLog {
  /** In order of position; each segment is let go of when its last record was taken. */
  records(): Generator<ScannedRecord>;
  readonly broken: Broken[];
  /** The log was known to be on stable storage up to here. */
  readonly synced: number;
  /** Where the log ends. */
  readonly end: number;
}

/** Numbers of the segments in the folder, in order. */
export function listSegments(disk: Disk, folder: string): number[] {
  return disk.list(folder).map(segmentOf).filter((segment) => segment !== undefined);
}

/**
 * Reads the segments from `first` on, which begins at `position`.
 *
 * @param synced how far the log was known to be on stable storage from elsewhere
 */
export function readLog(
  disk: Disk,
  folder: string,
  salt: number,
  first: number,
  position: number,
  synced: number,
): ReadLog {
  const segments: ScannedSegment[] = [];
  const broken: Broken[] = [];
  let start = position;
  let end = position;
  let mark = synced;
  let previous = segmentPath(folder, first);
  for (const segment of listSegments(disk, folder)) {
    if (segment < first) continue;
    const path = segmentPath(folder, segment);
    const scanned = scanSegment(readWhole(disk, path)!, path, end, salt);
    dropFrom(scanned.start, broken);
    if (scanned.start > end) {
      broken.push(missing(previous, end, scanned.start, start));
    }
    segments.push(scanned);
    broken.push(...scanned.broken);
    start = scanned.start;
    mark = Math.max(mark, scanned.synced);
    end = scanned.end;
    previous = path;
  }
  if (end < synced) broken.push(missing(previous, end, synced, start));
  broken.sort((a, b) => a.position - b.position);
  return { records: () => recordsOf(segments), broken, synced: mark, end: Math.max(end, synced) };
}

function missing(file: string, position: number, end: number, start: number): Broken {
  return { file, offset: position - start, position, end, lost: Infinity };
}

/** Empties the list. */
function* recordsOf(segments: ScannedSegment[]): Generator<ScannedRecord> {
  while (segments.length > 0) {
    const { records } = segments.shift()!;
    const until = Math.min(...segments.map(({ start }) => start));
    for (const scanned of records()) {
      if (scanned.position >= until) break;
      yield scanned;
    }
  }
}

/** What a segment holds from the start of the next one on is a torn tail, or was taken back, before that one began. */
function dropFrom(position: number, broken: Broken[]): void {
  while (broken.length > 0 && broken[broken.length - 1]!.position >= position) broken.pop();
}
