import { type Choose, Sectors } from "./sectors.ts";

/** What was done to a file and is not known to be on stable storage yet. */
export type Change =
  | { readonly kind: "write"; readonly offset: number; readonly bytes: Uint8Array }
  | { readonly kind: "truncate"; readonly size: number };

/** What a disk reads at once, and writes as a whole or after it has read the rest. */
const PAGE_BYTES = 4096;

/**
 * A file as the page cache shows it, and as it is on stable storage. After a failed sync the two differ for good:
 * what was to be written is neither on the disk nor dirty any more.
 */
export class SimInode {
  #shown = new Uint8Array(0);
  #stable = new Uint8Array(0);
  #changes: Change[] = [];
  /** What lies behind was never written and takes no room. */
  #usedBytes = 0;
  /** Numbers of the pages, within the file, that cannot be read until they are written as a whole. */
  #unreadable = new Set<number>();

  static of(content: Uint8Array, unreadable: Iterable<number> = []): SimInode {
    const inode = new SimInode();
    inode.#unreadable = new Set([...unreadable].filter((page) => page * PAGE_BYTES < content.length));
    inode.#usedBytes = content.length;
    inode.#shown = content.slice();
    inode.#stable = content.slice();
    return inode;
  }

  get size(): number {
    return this.#shown.length;
  }

  get usedBytes(): number {
    return this.#usedBytes;
  }

  get shown(): Uint8Array {
    return this.#shown;
  }

  /** An independent file of the same content. */
  copy(): SimInode {
    return SimInode.of(this.#shown, this.#unreadable);
  }

  /** The page with this byte cannot be read any more. */
  spoil(offset: number): void {
    this.#unreadable.add(Math.floor(offset / PAGE_BYTES));
  }

  isReadable(offset: number, length: number): boolean {
    const end = Math.min(offset + length, this.size);
    return ![...this.#unreadable].some((page) => page * PAGE_BYTES < end && (page + 1) * PAGE_BYTES > offset);
  }

  /** False: the rest of a page cannot be read that so much would be written of. */
  isWritable(offset: number, length: number): boolean {
    const end = offset + length;
    for (const page of this.#unreadable) {
      const start = page * PAGE_BYTES;
      if (start >= end || start + PAGE_BYTES <= offset) continue;
      if (start < offset || start + PAGE_BYTES > end) return false;
    }
    return true;
  }

  /** False: the page that would end the file cannot be read. */
  canBeCut(size: number): boolean {
    return size >= this.size || this.isWritable(size - size % PAGE_BYTES, size % PAGE_BYTES);
  }

  write(bytes: Uint8Array, offset: number): void {
    for (
      let page = Math.ceil(offset / PAGE_BYTES);
      (page + 1) * PAGE_BYTES <= offset + bytes.length;
      page++
    ) {
      this.#unreadable.delete(page);
    }
    const change: Change = { kind: "write", offset, bytes: bytes.slice() };
    this.#shown = applied(this.#shown, change);
    this.#usedBytes = Math.max(this.#usedBytes, offset + bytes.length);
    this.#changes.push(change);
  }

  truncate(size: number): void {
    const change: Change = { kind: "truncate", size };
    for (const page of this.#unreadable) if (page * PAGE_BYTES >= size) this.#unreadable.delete(page);
    this.#shown = applied(this.#shown, change);
    this.#usedBytes = Math.min(this.#usedBytes, size);
    this.#changes.push(change);
  }

  /** Begins a sync: the call returned brings what was changed so far to stable storage, or loses it. */
  startSync(): (fails: boolean) => void {
    const covered = new Set(this.#changes);
    return (fails) => {
      const settled = this.#changes.filter((change) => covered.has(change));
      this.#changes = this.#changes.filter((change) => !covered.has(change));
      if (!fails) { for (const change of settled) this.#stable = applied(this.#stable, change); }
    };
  }

  /** Turns a bit over, wherever the byte is kept. */
  flip(offset: number, bit: number): void {
    for (const content of [this.#shown, this.#stable]) {
      if (offset < content.length) content[offset]! ^= 1 << bit;
    }
  }

  /** The file after a power loss: of what was changed since the last sync any part may be there, sector by sector. */
  afterPowerLoss(choose: Choose, sectorBytes: number): SimInode {
    const sectors = new Sectors(this.#stable, sectorBytes);
    for (const change of this.#changes) {
      if (change.kind === "write") sectors.write(change.offset, change.bytes);
      else sectors.truncate(change.size);
    }
    return SimInode.of(sectors.pick(choose), this.#unreadable);
  }
}

function applied(content: Uint8Array<ArrayBuffer>, change: Change): Uint8Array<ArrayBuffer> {
  if (change.kind === "truncate") {
    const cut = new Uint8Array(change.size);
    cut.set(content.subarray(0, change.size));
    return cut;
  }
  const end = change.offset + change.bytes.length;
  if (end > content.length) {
    // Room to spare, or appending byte by byte would take quadratic time.
    const room = content.buffer.byteLength >= end && content.byteOffset === 0
      ? content.buffer
      : new ArrayBuffer(Math.max(end, 2 * content.length));
    const grown = new Uint8Array(room, 0, end);
    if (room !== content.buffer) grown.set(content);
    else grown.fill(0, content.length);
    content = grown;
  }
  content.set(change.bytes, change.offset);
  return content;
}
