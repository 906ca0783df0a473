import type { Clock, Disk, Log, Random } from "../platform/ports.ts";
import type { ClusterSettings } from "../ring/ring.ts";

/** Bounds of the engine; all in bytes. */
export interface EngineLimits {
  readonly keyBytesMax: number;
  readonly valueBytesMax: number;
  /** Groups of up to this are synced on the event loop's own time: quicker by far, while little waits. */
  readonly syncNowBytesMax: number;
  /** A log segment is closed when it has reached this. */
  readonly segmentBytes: number;
  /** How much of the data files is kept in memory for reading. */
  readonly cacheBytesMax: number;
  /** A checkpoint is made when this much was logged since the last. */
  readonly checkpointBytes: number;
  /** Writes are refused when less than this is free, so that a checkpoint always fits. */
  readonly reserveBytes: number;
  /** A data file is compacted when its garbage exceeds its live data, but not below this. */
  readonly compactBytesMin: number;
  /** How much of a file is compacted in one go. */
  readonly compactStepBytes: number;
  /** How fast the data files are read in search of rot; 0: not at all. */
  readonly scrubBytesPerSecond: number;
}

export const DEFAULT_LIMITS: EngineLimits = {
  keyBytesMax: 4 << 10,
  valueBytesMax: 1 << 20,
  syncNowBytesMax: 64 << 10,
  segmentBytes: 32 << 20,
  cacheBytesMax: 16 << 20,
  checkpointBytes: 64 << 20,
  reserveBytes: 96 << 20,
  compactBytesMin: 4 << 20,
  compactStepBytes: 256 << 10,
  scrubBytesPerSecond: 1 << 20,
};

export interface EngineOptions {
  readonly clock: Clock;
  readonly random: Random;
  readonly disk: Disk;
  readonly log: Log;
  /** The node's data directory; made when it is missing. */
  readonly folder: string;
  /** Undefined: not known yet; see `adoptCluster`. */
  readonly clusterId: string | undefined;
  readonly settings: ClusterSettings;
  readonly limits?: Partial<EngineLimits>;
}
