import { KvError } from "../platform/errors.ts";
import type { Clock, Disk } from "../platform/ports.ts";

const LOOK_EVERY_BYTES = 1 << 20;
const LOOK_AGAIN_MS = 100;

/**
 * Refuses writes while there is less room on the disk than a checkpoint may need, and lets them in again by itself
 * when there is room. Deletes may use half of the reserve, or nobody could make room.
 */
export class SpaceGate {
  /** Free at the last look, less what was admitted since. */
  #free = 0;
  #untilLook = 0;
  #refusedAtMs: number | undefined;

  constructor(
    readonly clock: Clock,
    readonly disk: Disk,
    readonly folder: string,
    readonly reserveBytes: number,
    /** Told of each refusal. */
    readonly refused: () => void,
  ) {}

  /** At the last look there was not room for every write. */
  get isShort(): boolean {
    return this.#refusedAtMs !== undefined || this.#free < this.reserveBytes;
  }

  /** Throws KvError disk-full when `bytes` more may not be logged. */
  admit(bytes: number, isDelete: boolean): void {
    if (this.#refusedAtMs !== undefined) this.#lookAgain();
    else if (this.#untilLook < bytes) this.#look();
    const reserve = isDelete ? this.reserveBytes / 2 : this.reserveBytes;
    // Once in the log and once in a data file.
    if (this.#free - 2 * bytes < reserve) this.#refuse();
    this.#free -= 2 * bytes;
    this.#untilLook -= bytes;
  }

  /** The disk said that it is full. */
  full(): void {
    this.#free = 0;
    this.#refusedAtMs = this.clock.monotonicMs();
    this.refused();
  }

  #refuse(): never {
    this.#refusedAtMs ??= this.clock.monotonicMs();
    this.refused();
    const mib = (bytes: number) => `${(bytes / (1 << 20)).toFixed(1)} MiB`;
    throw new KvError(
      "disk-full",
      `the disk of ${this.folder} is full: ${mib(Math.max(0, this.#free))} free, ${
        mib(this.reserveBytes)
      } are kept ` +
        "in reserve; make room and writes go on by themselves",
    );
  }

  #lookAgain(): void {
    if (this.clock.monotonicMs() - this.#refusedAtMs! < LOOK_AGAIN_MS) return;
    this.#refusedAtMs = undefined;
    this.#look();
  }

  #look(): void {
    this.#free = this.disk.freeBytes(this.folder);
    this.#untilLook = LOOK_EVERY_BYTES;
  }
}
