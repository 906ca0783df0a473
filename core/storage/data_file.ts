import { type Disk, DiskError, type DiskFile } from "../platform/ports.ts";
import { copyOf } from "../platform/slab.ts";
import { BLOCK_BYTES, type BlockCache } from "./block_cache.ts";

/** So many complete blocks are written together: a call of the system costs more than copying them side by side. */
const TOGETHER_BLOCKS = 4;
const together = new Uint8Array(16 * BLOCK_BYTES);

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
 * One append-only file of records. Blocks are written when a few are complete; the last ones stay in memory and are
 * written by {@link flush}. Blocks that the disk had no room for stay in memory too, and are tried again.
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
  /** What is not written yet, side by side; the last one is incomplete unless size is a multiple of BLOCK_BYTES. */
  readonly #dirty: Uint8Array[] = [];
  /** Number of the first of them. BLOCK_BYTES * (#dirtyFrom + #dirty.length) >= size */
  #dirtyFrom = 0;
  /** How much of it a sync has brought to stable storage, or was there when it was opened. #syncedSize <= #size */
  #syncedSize: number;
  /** The last sync that was asked for. One at a time: of an error the system tells but one of them. */
  #syncing: Promise<void> = Promise.resolve();

  /** Opens the file with the first `size` bytes of what is there. */
  constructor(readonly parts: DataFileParts, size: number) {
    this.id = parts.id;
    this.index = parts.index;
    this.generation = parts.generation;
    this.path = parts.path;
    this.seed = parts.seed;
    this.#size = size;
    if (size > 0) this.#openAt(size);
    this.#syncedSize = this.#size;
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

  /** Appended since the last sync that went well began. */
  get unsyncedBytes(): number {
    return this.#size - this.#syncedSize;
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
    if (at + length > BLOCK_BYTES) return this.readAside(offset, length);
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
    const stored = bytes.subarray(0, Math.max(0, this.#dirtyFrom * BLOCK_BYTES - offset));
    bytes.fill(0, this.#file?.read(stored, offset) ?? 0);
    for (const [i, block] of this.#dirty.entries()) {
      const number = this.#dirtyFrom + i;
      const start = Math.max(offset, number * BLOCK_BYTES);
      const end = Math.min(offset + bytes.length, (number + 1) * BLOCK_BYTES);
      if (start < end) {
        const from = start - number * BLOCK_BYTES;
        bytes.set(block.subarray(from, from + end - start), start - offset);
      }
    }
  }

  /** The same, with zeros also for blocks that the disk cannot read; returns their numbers. */
  fillReadable(bytes: Uint8Array, offset: number): number[] {
    if (tryTo(() => this.fill(bytes, offset))) return [];
    const unreadable: number[] = [];
    for (let at = offset; at < offset + bytes.length;) {
      const number = Math.floor(at / BLOCK_BYTES);
      const part = bytes.subarray(at - offset, (number + 1) * BLOCK_BYTES - offset);
      if (!tryTo(() => this.fill(part, at))) {
        part.fill(0);
        unreadable.push(number);
      }
      at += part.length;
    }
    return unreadable;
  }

  /** Writes all that is in memory alone. Throws DiskError `full` when there is no room; then nothing is lost. */
  flush(): void {
    this.#write(this.#dirty.length);
  }

  /** Brings all to stable storage; without room for it as {@link flush}. Once one has failed all do. */
  async sync(): Promise<void> {
    if (this.unsyncedBytes === 0) return;
    this.flush();
    const size = this.#size;
    const file = this.#file!;
    this.#syncing = this.#syncing.then(() => file.sync());
    await this.#syncing;
    this.#syncedSize = size;
  }

  close(): void {
    this.#file?.close();
    this.#file = undefined;
  }

  #openAt(size: number): void {
    const file = this.parts.disk.open(this.path, "if-missing");
    // To cut within a block, the system may have to read it.
    if (file.sizeBytes() > size && !tryTo(() => file.truncate(size))) {
      file.truncate(Math.ceil(size / BLOCK_BYTES) * BLOCK_BYTES);
    }
    this.#missing = Math.max(0, size - file.sizeBytes());
    this.#file = file;
    const tail = size % BLOCK_BYTES;
    this.#dirtyFrom = (size - tail) / BLOCK_BYTES;
    if (tail === 0) return;
    const block = new Uint8Array(BLOCK_BYTES);
    if (tryTo(() => file.read(block.subarray(0, tail), size - tail))) this.#dirty.push(block);
    else this.#size = ++this.#dirtyFrom * BLOCK_BYTES; // a disk cannot write a part of a block that it cannot read
  }

  /** The block that is to be appended to, the last one or the next. */
  #dirtyBlock(number: number): Uint8Array {
    const at = number - this.#dirtyFrom;
    if (at === this.#dirty.length) this.#dirty.push(this.parts.cache.take());
    return this.#dirty[at]!;
  }

  #block(number: number): Uint8Array {
    const { cache } = this.parts;
    const known = this.#dirty[number - this.#dirtyFrom] ?? cache.get(this.id, number);
    if (known !== undefined) return known;
    const block = cache.take();
    block.fill(0, this.#file!.read(block, number * BLOCK_BYTES));
    cache.put(this.id, number, block);
    return block;
  }

  #writeComplete(): void {
    const complete = Math.floor(this.#size / BLOCK_BYTES) - this.#dirtyFrom;
    if (complete < TOGETHER_BLOCKS) return;
    try {
      this.#write(complete);
    } catch (error) {
      if (!(error instanceof DiskError && error.fault === "full")) throw error;
    }
  }

  /** Writes the first blocks of what is dirty. */
  #write(blocks: number): void {
    const { disk, cache } = this.parts;
    if (this.#file === undefined && blocks > 0) {
      this.#file = disk.open(this.path, "if-missing");
      this.#file.truncate(0);
      this.created = true;
    }
    for (const end = this.#dirtyFrom + blocks; this.#dirtyFrom < end;) {
      const start = this.#dirtyFrom * BLOCK_BYTES;
      const room = Math.min(together.length, end * BLOCK_BYTES - start);
      const bytes = Math.min(room, this.#size - start);
      for (let at = 0; at < bytes; at += BLOCK_BYTES) together.set(this.#dirty[at / BLOCK_BYTES]!, at);
      this.#file!.write(together.subarray(0, bytes), start);
      const complete = Math.floor(bytes / BLOCK_BYTES);
      for (const block of this.#dirty.splice(0, complete)) cache.put(this.id, this.#dirtyFrom++, block);
      if (bytes < room) return;
    }
  }
}

/** Returns whether the disk could read what that takes. */
function tryTo(step: () => void): boolean {
  try {
    step();
    return true;
  } catch (error) {
    if (!(error instanceof DiskError && error.fault === "io")) throw error;
    return false;
  }
}
