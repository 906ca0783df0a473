import type { Disk } from "../platform/ports.ts";
import { fileCount, fileIndex, fileIndexPath } from "../ring/primes.ts";
import { BlockCache } from "./block_cache.ts";
import { DataFile } from "./data_file.ts";
import { seedOf } from "./data_record.ts";
import { FileLock } from "./file_lock.ts";

/** One of the prime-sharded files. */
export interface Shard {
  readonly index: number;
  readonly lock: FileLock;
  /** Takes all appends. */
  current: DataFile | undefined;
  /** Being compacted into `current`; current.generation > older.generation. */
  older: DataFile | undefined;
}

/** The prime-sharded files of a node. A file is rewritten under a new generation: `files/2/0.7`. */
export class DataFiles {
  readonly shards: readonly Shard[];
  readonly #byId: (DataFile | undefined)[] = [];
  readonly #cache: BlockCache;
  /** Out of use, but perhaps still named by a checkpoint. */
  readonly #dropped: DataFile[] = [];

  constructor(
    readonly disk: Disk,
    readonly folder: string,
    readonly salt: number,
    readonly levels: number,
    cacheBytesMax: number,
  ) {
    this.#cache = new BlockCache(cacheBytesMax);
    const none = { current: undefined, older: undefined };
    this.shards = Array.from(
      { length: fileCount(levels) },
      (_, index) => ({ index, lock: new FileLock(), ...none }),
    );
    this.#makeFolders();
  }

  byId(id: number): DataFile {
    return this.#byId[id]!;
  }

  /** Whether it has not been compacted away. */
  isInUse(file: DataFile): boolean {
    return this.#byId[file.id] === file;
  }

  shardOf(hash: number): Shard {
    return this.shards[fileIndex(hash, this.levels)]!;
  }

  /** The file that takes the shard's appends. */
  currentOf(shard: Shard): DataFile {
    return shard.current ??= this.#newFile(shard.index, 1, 0);
  }

  /** Takes over a file of the last checkpoint; generations of a shard in rising order, at most two. */
  restore(index: number, generation: number, size: number): DataFile {
    const shard = this.shards[index]!;
    const file = this.#newFile(index, generation, size);
    shard.older = shard.current;
    shard.current = file;
    return file;
  }

  /** Appends go to a new generation from now on, into which the older one is to be compacted. */
  renew(shard: Shard): void {
    if (shard.older !== undefined || shard.current === undefined) throw new Error("nothing to renew");
    shard.older = shard.current;
    shard.current = this.#newFile(shard.index, shard.older.generation + 1, 0);
  }

  /** The older generation has no live record left. It is removed once no checkpoint names it. */
  dropOlder(shard: Shard): void {
    const older = shard.older!;
    shard.older = undefined;
    this.#byId[older.id] = undefined;
    this.#dropped.push(older);
  }

  /** All files in use, a shard's older generation before its current one. */
  *files(): Generator<DataFile> {
    for (const { older, current } of this.shards) {
      if (older !== undefined) yield older;
      if (current !== undefined) yield current;
    }
  }

  /** Removes the files that are neither in `kept` (paths) nor in use, such as older generations. */
  removeAllBut(named: ReadonlySet<string>): void {
    const kept = new Set(named);
    for (const { path } of this.files()) kept.add(path);
    for (const file of this.#dropped.splice(0)) {
      if (kept.has(file.path)) this.#dropped.push(file);
      else file.close();
    }
    for (const folder of this.folders()) {
      for (const name of this.disk.list(folder)) {
        const path = `${folder}/${name}`;
        if (/^\d+\.\d+$/.test(name) && !kept.has(path)) this.disk.remove(path);
      }
    }
  }

  /** The folders that hold files. */
  folders(): Set<string> {
    return new Set(this.shards.map(({ index }) => this.#folderOf(index)));
  }

  close(): void {
    for (const file of [...this.files(), ...this.#dropped.splice(0)]) file.close();
  }

  #newFile(index: number, generation: number, size: number): DataFile {
    const path = `${this.folder}/${fileIndexPath(index, this.levels)}.${generation}`;
    const seed = seedOf(this.salt, index, generation);
    const parts = {
      id: this.#byId.length,
      index,
      generation,
      path,
      seed,
      disk: this.disk,
      cache: this.#cache,
    };
    const file = new DataFile(parts, size);
    this.#byId.push(file);
    return file;
  }

  #folderOf(index: number): string {
    const path = `${this.folder}/${fileIndexPath(index, this.levels)}`;
    return path.slice(0, path.lastIndexOf("/"));
  }

  #makeFolders(): void {
    const { disk, folder } = this;
    const made = new Set<string>();
    for (const leaf of this.folders()) {
      const parts = leaf.slice(folder.length).split("/").filter((part) => part !== "");
      for (let depth = 0; depth <= parts.length; depth++) {
        made.add([folder, ...parts.slice(0, depth)].join("/"));
      }
    }
    const missing = [...made].filter((path) => !disk.exists(path));
    for (const path of missing) disk.makeFolder(path);
    // The parents' entries for the new folders, and the folder's own entry in the node's directory.
    const parents = new Set(missing.map((path) => path.slice(0, path.lastIndexOf("/"))));
    for (const path of parents) disk.syncFolder(path);
  }
}
