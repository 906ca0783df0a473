/** Data files are written, read and cached in blocks of this size. */
export const BLOCK_BYTES = 4 << 10;

/**
 * Blocks of data files that were read or written last. Complete blocks never change, so none is ever out of date. The
 * memory of a block is used again for another one: nobody may keep a view of it beyond the present call.
 */
export class BlockCache {
  /** In order of use, the oldest first. */
  readonly #blocks = new Map<number, Uint8Array>();
  readonly #blocksMax: number;
  #spare: Uint8Array | undefined;

  constructor(bytesMax: number) {
    this.#blocksMax = Math.max(1, Math.floor(bytesMax / BLOCK_BYTES));
  }

  get(file: number, block: number): Uint8Array | undefined {
    const key = keyOf(file, block);
    const bytes = this.#blocks.get(key);
    if (bytes === undefined) return undefined;
    this.#blocks.delete(key);
    this.#blocks.set(key, bytes);
    return bytes;
  }

  /** Takes the block over. */
  put(file: number, block: number, bytes: Uint8Array): void {
    const key = keyOf(file, block);
    if (!this.#blocks.has(key)) this.#makeRoom();
    this.#blocks.set(key, bytes);
  }

  /** Memory for a block, with anything in it. */
  take(): Uint8Array {
    const spare = this.#spare ?? new Uint8Array(BLOCK_BYTES);
    this.#spare = undefined;
    return spare;
  }

  #makeRoom(): void {
    if (this.#blocks.size < this.#blocksMax) return;
    const [oldest, bytes] = this.#blocks.entries().next().value!;
    this.#blocks.delete(oldest);
    this.#spare = bytes;
  }
}

/** A file of 2^28 blocks has 4 TiB; a node starts fewer than 2^25 files in its life. */
function keyOf(file: number, block: number): number {
  return file * 2 ** 28 + block;
}
