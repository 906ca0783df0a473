import {
  type Cancel,
  type Clock,
  type Disk,
  DiskError,
  type DiskFile,
  type Random,
} from "../../../core/platform/ports.ts";
import { SimInode } from "./disk_file.ts";
import type { Choose } from "./sectors.ts";

export type { Choose } from "./sectors.ts";

/** How a simulated disk behaves; all may be changed at any time. */
export interface DiskFaults {
  /** A sync takes a time drawn uniformly from this range. */
  syncMsMin: number;
  syncMsMax: number;
  capacityBytes: number;
  /** What is written as a whole, or not at all, when the power fails. */
  sectorBytes: number;
  /** Whether the sync of this file that is about to end fails. */
  syncFails: (path: string) => boolean;
  /** How many more changes the disk makes before the power goes off in the middle of the next. */
  changesLeft: number;
}

/** A change of a folder that is not on stable storage yet; undefined: the name is gone. */
interface Entry {
  readonly folder: string;
  readonly names: readonly (readonly [path: string, inode: SimInode | undefined])[];
}

/**
 * A disk of one machine. What was written and not synced is lost, kept or torn when the power fails, in any
 * combination; created, renamed and removed names are durable only after `syncFolder`.
 */
export class SimDisk implements Disk {
  readonly faults: DiskFaults = {
    syncMsMin: 0.1,
    syncMsMax: 1,
    capacityBytes: Infinity,
    sectorBytes: 512,
    syncFails: () => false,
    changesLeft: Infinity,
  };
  /** Changes made so far. */
  changes = 0;
  #folders = new Set<string>([".", "/"]);
  #shown = new Map<string, SimInode>();
  #stable = new Map<string, SimInode>();
  #pending: Entry[] = [];
  #locked = new Set<string>();
  #dead = false;

  constructor(readonly clock: Clock, readonly random: Random) {}

  /** The disk after a power loss; this one is dead from now on. By default chance decides what is left. */
  crash(choose: Choose = byChance(this.random)): SimDisk {
    this.#dead = true;
    return this.afterPowerLoss(choose);
  }

  /** What a power loss at this moment might leave. This disk goes on. */
  afterPowerLoss(choose: Choose): SimDisk {
    const after = this.#successor();
    const names = new Map(this.#stable);
    for (const entry of this.#pending) if (choose(2) === 1) enter(names, entry);
    const copies = new Map<SimInode, SimInode>();
    for (const [path, inode] of names) {
      let copy = copies.get(inode);
      if (copy === undefined) copies.set(inode, copy = inode.afterPowerLoss(choose, this.faults.sectorBytes));
      after.#shown.set(path, copy);
      after.#stable.set(path, copy);
    }
    return after;
  }

  /** The disk after the process was killed: all that was written is there. This one is dead from now on. */
  kill(): SimDisk {
    this.#dead = true;
    const after = this.#successor();
    after.#shown = this.#shown;
    after.#stable = this.#stable;
    after.#pending = this.#pending;
    return after;
  }

  /** An independent copy of what the page cache shows, all of it on stable storage. */
  copy(): SimDisk {
    const after = this.#successor();
    for (const [path, inode] of this.#shown) {
      const copy = inode.copy();
      after.#shown.set(path, copy);
      after.#stable.set(path, copy);
    }
    return after;
  }

  /** All files, sorted. */
  paths(): string[] {
    return [...this.#shown.keys()].sort();
  }

  content(path: string): Uint8Array {
    return this.#find(path).shown;
  }

  /** Turns one bit over, as rot does. */
  flip(path: string, offset: number, bit: number): void {
    this.#find(path).flip(offset, bit);
  }

  /** What lies around this byte cannot be read any more, until it is written anew. */
  spoil(path: string, offset: number): void {
    this.#find(path).spoil(offset);
  }

  open(path: string, create: "never" | "new" | "if-missing"): DiskFile {
    this.#alive(path);
    let inode = this.#shown.get(path);
    if (inode !== undefined && create === "new") throw new DiskError("exists", path, "the file exists");
    if (inode === undefined) {
      if (create === "never") throw new DiskError("not-found", path, "no such file");
      if (!this.#folders.has(parentOf(path))) throw new DiskError("not-found", path, "no such folder");
      inode = new SimInode();
      this.#enter(path, [[path, inode]]);
    }
    return new SimFile(this, path, inode);
  }

  list(path: string): string[] {
    this.#alive(path);
    if (!this.#folders.has(path)) throw new DiskError("not-found", path, "no such folder");
    const names = [...this.#shown.keys(), ...this.#folders].filter((each) =>
      parentOf(each) === path && each !== path
    );
    return names.map((each) => each.slice(path.length + 1)).sort();
  }

  exists(path: string): boolean {
    this.#alive(path);
    return this.#shown.has(path) || this.#folders.has(path);
  }

  /** Folders are durable at once: an empty one that is gone would only be made again. */
  makeFolder(path: string): void {
    this.change(path);
    for (let each = path; !this.#folders.has(each); each = parentOf(each)) this.#folders.add(each);
  }

  rename(from: string, to: string): void {
    const inode = this.#find(from);
    this.#enter(to, [[from, undefined], [to, inode]]);
  }

  remove(path: string): void {
    this.#find(path);
    this.#enter(path, [[path, undefined]]);
  }

  syncFolder(path: string): void {
    this.change(path);
    for (const entry of this.#pending) if (entry.folder === path) enter(this.#stable, entry);
    this.#pending = this.#pending.filter(({ folder }) => folder !== path);
  }

  lock(path: string): Cancel {
    this.#alive(path);
    if (this.#locked.has(path)) throw new DiskError("locked", path, "another process holds the lock");
    this.#locked.add(path);
    return () => void this.#locked.delete(path);
  }

  freeBytes(): number {
    return Math.max(0, this.faults.capacityBytes - this.usedBytes());
  }

  /** Bytes that the files take. */
  usedBytes(): number {
    let used = 0;
    for (const inode of new Set(this.#shown.values())) used += inode.usedBytes;
    return used;
  }

  /** Counts a change about to be made; throws when the power goes off. */
  change(path: string): void {
    this.#alive(path);
    if (this.faults.changesLeft <= 0) this.#dead = true;
    this.#alive(path);
    this.faults.changesLeft--;
    this.changes++;
  }

  get dead(): boolean {
    return this.#dead;
  }

  #alive(path: string): void {
    if (this.#dead) throw new DiskError("io", path, "the power is off");
  }

  #find(path: string): SimInode {
    this.#alive(path);
    const inode = this.#shown.get(path);
    if (inode === undefined) throw new DiskError("not-found", path, "no such file");
    return inode;
  }

  #enter(path: string, names: Entry["names"]): void {
    this.change(path);
    const entry = { folder: parentOf(path), names };
    enter(this.#shown, entry);
    this.#pending.push(entry);
  }

  #successor(): SimDisk {
    const after = new SimDisk(this.clock, this.random);
    Object.assign(after.faults, this.faults, { changesLeft: Infinity });
    after.#folders = new Set(this.#folders);
    return after;
  }
}

class SimFile implements DiskFile {
  constructor(readonly disk: SimDisk, readonly path: string, readonly inode: SimInode) {}

  sizeBytes(): number {
    return this.inode.size;
  }

  read(into: Uint8Array, offset: number): number {
    if (!this.inode.isReadable(offset, into.length)) {
      throw new DiskError("io", this.path, "cannot read (input/output error)");
    }
    const found = this.inode.shown.subarray(offset, offset + into.length);
    into.set(found);
    return found.length;
  }

  write(bytes: Uint8Array, offset: number): void {
    const grows = Math.max(0, offset + bytes.length - this.inode.usedBytes);
    const room = this.disk.freeBytes();
    const fits = grows <= room ? bytes.length : Math.max(0, bytes.length - (grows - room));
    this.disk.change(this.path);
    if (!this.inode.isWritable(offset, fits)) {
      throw new DiskError("io", this.path, "cannot write (input/output error)");
    }
    if (fits > 0) this.inode.write(bytes.subarray(0, fits), offset);
    if (fits < bytes.length) throw new DiskError("full", this.path, "no space left on the device");
  }

  truncate(sizeBytes: number): void {
    if (sizeBytes === this.inode.size) return;
    this.disk.change(this.path);
    if (!this.inode.canBeCut(sizeBytes)) {
      throw new DiskError("io", this.path, "cannot cut (input/output error)");
    }
    this.inode.truncate(sizeBytes);
  }

  async sync(): Promise<void> {
    this.disk.change(this.path);
    const settle = this.inode.startSync();
    const { syncMsMin, syncMsMax } = this.disk.faults;
    await this.disk.clock.sleep(syncMsMin + this.disk.random.number() * (syncMsMax - syncMsMin));
    if (this.disk.dead) throw new DiskError("io", this.path, "the power is off");
    this.#settle(settle);
  }

  syncNow(): void {
    this.disk.change(this.path);
    this.#settle(this.inode.startSync());
  }

  close(): void {}

  #settle(settle: (fails: boolean) => void): void {
    const fails = this.disk.faults.syncFails(this.path);
    settle(fails);
    if (fails) throw new DiskError("io", this.path, "fdatasync failed");
  }
}

/** All, nothing, or more or less of what was not synced: drawn one by one, many sectors would never be all the same. */
function byChance(random: Random): Choose {
  const kept = [0, 1, random.number(), random.number()][random.below(4)]!;
  return (count) => {
    if (kept > 0 && kept < 1 && random.below(8) === 0) return random.below(count);
    return random.number() < kept ? count - 1 : 0;
  };
}

function enter(names: Map<string, SimInode>, { names: changed }: Entry): void {
  for (const [path, inode] of changed) {
    if (inode === undefined) names.delete(path);
    else names.set(path, inode);
  }
}

function parentOf(path: string): string {
  const slash = path.lastIndexOf("/");
  return slash < 0 ? "." : slash === 0 ? "/" : path.slice(0, slash);
}
