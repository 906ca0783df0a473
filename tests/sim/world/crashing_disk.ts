import type { Cancel, Disk, DiskFile } from "../../../core/platform/ports.ts";
import type { SimProcess } from "./scheduler.ts";

/** How a disk is at present; shared by all processes that use it one after the other. */
export interface DiskTrouble {
  /** How long a blocking sync holds its process up. */
  syncNowMs(): number;
  /** Whether the power fails in the middle of this call, which then never returns to anybody who still counts. */
  powerFails(): boolean;
  /** Ends the process and loses what was not synced. */
  losePower(): void;
  /** Told of what was done, to be counted. */
  renamed(to: string): void;
  removed(path: string): void;
}

/** Thrown out of a call during which the power failed: the process that sees it does not exist any more. */
class PowerFailed extends Error {
  override name = "PowerFailed";
}

/**
 * A disk as one process sees it: blocking syncs take time, and the power may fail within any call that changes
 * something, before or after the change. What code of the dead process does from there on has no effect.
 */
export class CrashingDisk implements Disk {
  constructor(readonly disk: Disk, readonly process: SimProcess, readonly trouble: DiskTrouble) {}

  open(path: string, create: "never" | "new" | "if-missing"): DiskFile {
    const file = this.changing(() => this.disk.open(path, create));
    return new CrashingFile(this, file);
  }

  list(path: string): string[] {
    return this.reading(() => this.disk.list(path));
  }

  exists(path: string): boolean {
    return this.reading(() => this.disk.exists(path));
  }

  makeFolder(path: string): void {
    this.changing(() => this.disk.makeFolder(path));
  }

  rename(from: string, to: string): void {
    this.changing(() => this.disk.rename(from, to));
    this.trouble.renamed(to);
  }

  remove(path: string): void {
    this.changing(() => this.disk.remove(path));
    this.trouble.removed(path);
  }

  syncFolder(path: string): void {
    this.changing(() => this.disk.syncFolder(path));
  }

  lock(path: string): Cancel {
    return this.reading(() => this.disk.lock(path));
  }

  freeBytes(path: string): number {
    return this.reading(() => this.disk.freeBytes(path));
  }

  reading<T>(action: () => T): T {
    if (!this.process.alive) throw new PowerFailed();
    return action();
  }

  changing<T>(action: () => T): T {
    if (!this.process.alive) throw new PowerFailed();
    if (this.trouble.powerFails()) this.#fail();
    const result = action();
    if (this.trouble.powerFails()) this.#fail();
    return result;
  }

  #fail(): never {
    this.trouble.losePower();
    throw new PowerFailed();
  }
}

class CrashingFile implements DiskFile {
  constructor(readonly disk: CrashingDisk, readonly file: DiskFile) {}

  get path(): string {
    return this.file.path;
  }

  sizeBytes(): number {
    return this.disk.reading(() => this.file.sizeBytes());
  }

  read(into: Uint8Array, offset: number): number {
    return this.disk.reading(() => this.file.read(into, offset));
  }

  write(bytes: Uint8Array, offset: number): void {
    this.disk.changing(() => this.file.write(bytes, offset));
  }

  truncate(sizeBytes: number): void {
    this.disk.changing(() => this.file.truncate(sizeBytes));
  }

  async sync(): Promise<void> {
    await this.disk.reading(() => this.file.sync());
  }

  syncNow(): void {
    this.disk.changing(() => this.file.syncNow());
    this.disk.process.block(this.disk.trouble.syncNowMs());
  }

  close(): void {
    if (this.disk.process.alive) this.file.close();
  }
}
