import type { Clock, Disk } from "../../core/platform/ports.ts";
import { CrashingDisk, type DiskTrouble } from "./world/crashing_disk.ts";
import { SimDisk } from "./world/disk.ts";
import type { SeededRandom } from "./world/random.ts";
import type { SimProcess } from "./world/scheduler.ts";

/** The disk of a machine: it outlives the machine's processes, each of which sees it through a mount of its own. */
export class MachineDisk implements DiskTrouble {
  #disk: SimDisk;
  /** Of the process that uses the disk at present. */
  #clock: Clock | undefined;
  /** Changes until the power fails in the middle of one. */
  #changesLeft = Infinity;
  #syncFailures = 0;
  /** Set by the machine: ends its process, and calls {@link lose}. */
  powerFailed: () => void = () => {};

  constructor(
    readonly random: SeededRandom,
    readonly slow: boolean,
    readonly count: (what: string) => void,
  ) {
    const clock: Pick<Clock, "sleep"> = { sleep: (delayMs) => this.#clock!.sleep(delayMs) };
    this.#disk = new SimDisk(clock as Clock, random);
  }

  /** The disk as a new process sees it: locks and open files of the one before are gone. */
  mount(process: SimProcess, clock: Clock): Disk {
    this.#clock = clock;
    this.#succeed(this.#disk.kill());
    return new CrashingDisk(this.#disk, process, this);
  }

  /** The power is off: what was not synced is kept, lost or torn, as chance has it. */
  lose(): void {
    this.#changesLeft = Infinity;
    this.#succeed(this.#disk.crash());
  }

  /** The power will fail in the middle of one of the next `changes` changes. */
  failPowerWithin(changes: number): void {
    this.#changesLeft = this.random.below(changes);
  }

  /** Leaves so many bytes of room; undefined: as much as it likes. */
  full(roomBytes: number | undefined): void {
    this.#disk.faults.capacityBytes = roomBytes === undefined ? Infinity : this.#disk.usedBytes() + roomBytes;
  }

  /**
   * Turns one bit of a data file over; false: there is none. Logs are left alone: in the last group that was written,
   * rot cannot be told from a torn write.
   */
  rot(): boolean {
    const place = this.#placeInData();
    if (place !== undefined) this.#disk.flip(...place, this.random.below(8));
    return place !== undefined;
  }

  /** Makes a sector of a data file unreadable; false: there is none. */
  spoil(): boolean {
    const place = this.#placeInData();
    if (place !== undefined) this.#disk.spoil(...place);
    return place !== undefined;
  }

  #placeInData(): [path: string, offset: number] | undefined {
    const paths = this.#disk.paths().filter((path) =>
      path.includes("/files/") && this.#disk.content(path).length > 0
    );
    if (paths.length === 0) return undefined;
    const path = this.random.pick(paths);
    return [path, this.random.below(this.#disk.content(path).length)];
  }

  failNextSync(): void {
    this.#syncFailures = 1;
  }

  syncNowMs(): number {
    return this.slow ? this.random.exponential(3) : 0.15;
  }

  powerFails(): boolean {
    return this.#changesLeft-- <= 0;
  }

  losePower(): void {
    this.powerFailed();
  }

  renamed(to: string): void {
    if (to.endsWith("/checkpoint")) this.count("checkpoint made");
  }

  removed(path: string): void {
    if (path.includes("/log/")) this.count("log segment released");
    if (path.includes("/files/")) this.count("data file replaced");
  }

  #succeed(next: SimDisk): void {
    next.faults.syncMsMax = this.slow ? 10 : 1;
    next.faults.syncFails = () => {
      const fails = this.#syncFailures > 0;
      this.#syncFailures = 0;
      if (fails) this.count("sync failed");
      return fails;
    };
    this.#disk = next;
  }
}
