import { type Disk, DiskError, type DiskFile } from "../platform/ports.ts";
import { copyOf } from "../platform/slab.ts";
import { BLOCK_BYTES, type BlockCache } from "./block_cache.ts";

/** What a {@link DataFile} is made of. */
export interface DataFileParts {
  /** Unique among the files of this process. */
  readonly id: number;
  /** Which of the prime-sharded files this is, and which rewriting of it. */
  readonly index: number;
  readonly generation: number;
  readonly path: string;
  readonly seed: number;
  readonly disk: Disk;
  readonly cache: BlockCache;
}

/**
 * One append-only file of records. Blocks are written when they are complete; the last one stays in memory and is
 * written by {@link flush}. A block that the disk had no room for stays in memory too, and is tried again.
 */
export class DataFile {
  readonly id: number;
  readonly index: number;
  readonly generation: number;
  readonly path: string;
  readonly seed: number;
  /** Bytes of the records that the index points to. liveBytes <= size */
  liveBytes = 0;
  /** Part of it is broken: it is kept as it is while a slot is damaged, and then rewritten. */
  damaged = false;
  /** It is new and its folder has not been synced since. */
  created = false;
  /** How much of the file was not there when it was opened. */
  #missing = 0;
  /** Length with all appends, written or not. */
  #size: number;
  #file: DiskFile | undefined;
  /** By number; the last, incomplete block is among them unless size is a multiple of BLOCK_BYTES. */
  readonly #dirty = new Map<number, Uint8Array>();
  /** Something was written or appended since the last sync. */
  #unsynced = false;

  /** Opens the file with the first `size` bytes of what is there. */
  constructor(readonly parts: DataFileParts, size: number) {
    this.id = parts.id;
    this.index = parts.index;
    this.generation = parts.generation;
    this.path = parts.path;
    this.seed = parts.seed;
    this.#size = size;
    if (size > 0) this.#openAt(size);
  }

  get size(): number {
    return this.#size;
  }

  /** How much of `size` was really there when the file was opened, and all that was appended since. */
  get storedBytes(): number {
    return this.#size - this.#missing;
  }

  get garbageBytes(): number {
    return this.#size - this.liveBytes;
  }

  get unsynced(): boolean {
    return this.#unsynced;
  }

  /** Puts the record behind the last; returns its offset. A full disk is no error, see the class; DiskError `io` is. */
  append(record: Uint8Array): number {
    const offset = this.#size;
    let done = 0;
    let completed = false;
    while (done < record.length) {
      const number = Math.floor(this.#size / BLOCK_BYTES);
      const at = this.#size % BLOCK_BYTES;
      const part = Math.min(record.length - done, BLOCK_BYTES - at);
      this.#dirtyBlock(number).set(record.subarray(done, done + part), at);
      done += part;
      this.#size += part;
      completed ||= at + part === BLOCK_BYTES;
    }
    this.#unsynced = true;
    if (completed) this.#writeComplete();
    return offset;
  }

  /**
   * A copy of the bytes from `offset` on, which must be within the file; zeros where it is shorter on the disk. A copy,
   * as a view would keep the block's memory from being used again, and blocks would become garbage at every miss.
   */
  read(offset: number, length: number): Uint8Array {
    const at = offset % BLOCK_BYTES;
    if (at + length <= BLOCK_BYTES) return copyOf(this.peek(offset, length));
    // A long value would push many others out of the cache.
    if (length > 4 * BLOCK_BYTES) return this.readAside(offset, length);
    const bytes = new Uint8Array(length);
    let done = 0;
    while (done < length) {
      const from = (offset + done) % BLOCK_BYTES;
      const part = Math.min(length - done, BLOCK_BYTES - from);
      bytes.set(this.#block((offset + done - from) / BLOCK_BYTES).subarray(from, from + part), done);
      done += part;
    }
    return bytes;
  }

  /** The same bytes, but only until the next call: they may be a view of a block. */
  peek(offset: number, length: number): Uint8Array {
    const at = offset % BLOCK_BYTES;
    if (at + length > BLOCK_BYTES) return this.read(offset, length);
    return this.#block((offset - at) / BLOCK_BYTES).subarray(at, at + length);
  }

  /** A copy of the bytes past the cache, see {@link fill}. */
  readAside(offset: number, length: number): Uint8Array {
    const bytes = new Uint8Array(length);
    this.fill(bytes, offset);
    return bytes;
  }

  /** Fills `bytes` from `offset` on, past the cache; zeros where the file on the disk, or all of it, ends. */
  fill(bytes: Uint8Array, offset: number): void {
    bytes.fill(0, this.#file?.read(bytes, offset) ?? 0);
    for (const [number, block] of this.#dirty) {
      const start = Math.max(offset, number * BLOCK_BYTES);
      const end = Math.min(offset + bytes.length, (number + 1) * BLOCK_BYTES);
      if (start < end) {
        const from = start - number * BLOCK_BYTES;
        bytes.set(block.subarray(from, from + end - start), start - offset);
      }
    }
  }

  /** Writes all that is in memory alone. Throws DiskError `full` when there is no room; then nothing is lost. */
  flush(): void {
    for (const [number, block] of [...this.#dirty]) this.#write(number, block);
  }

  /** fdatasync of what {@link flush} wrote. */
  async sync(): Promise<void> {
    this.#unsynced = false;
    await this.#file?.sync();
  }

  close(): void {
    this.#file?.close();
    this.#file = undefined;
  }

  #openAt(size: number): void {
    const file = this.parts.disk.open(this.path, "if-missing");
    if (file.sizeBytes() > size) file.truncate(size);
    this.#missing = size - file.sizeBytes();
    this.#file = file;
    const tail = size % BLOCK_BYTES;
    if (tail === 0) return;
    const block = new Uint8Array(BLOCK_BYTES);
    file.read(block.subarray(0, tail), size - tail);
    this.#dirty.set((size - tail) / BLOCK_BYTES, block);
  }

  #dirtyBlock(number: number): Uint8Array {
    let block = this.#dirty.get(number);
    if (block === undefined) this.#dirty.set(number, block = this.parts.cache.take());
    return block;
  }

  #block(number: number): Uint8Array {
    const { cache } = this.parts;
    const known = this.#dirty.get(number) ?? cache.get(this.id, number);
    if (known !== undefined) return known;
    const block = cache.take();
    block.fill(0, this.#file!.read(block, number * BLOCK_BYTES));
    cache.put(this.id, number, block);
    return block;
  }

  #writeComplete(): void {
    try {
      for (const [number, block] of [...this.#dirty]) {
        if ((number + 1) * BLOCK_BYTES <= this.#size) this.#write(number, block);
      }
    } catch (error) {
      if (!(error instanceof DiskError && error.fault === "full")) throw error;
    }
  }

  #write(number: number, block: Uint8Array): void {
    const { disk, cache } = this.parts;
    if (this.#file === undefined) {
      this.#file = disk.open(this.path, "if-missing");
      this.#file.truncate(0);
      this.created = true;
    }
    const start = number * BLOCK_BYTES;
    const used = Math.min(BLOCK_BYTES, this.#size - start);
    this.#file.write(block.subarray(0, used), start);
    if (used < BLOCK_BYTES) return;
    this.#dirty.delete(number);
    cache.put(this.id, number, block);
  }
}
