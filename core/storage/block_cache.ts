/** Data files are written, read and cached in blocks of this size. */
export const BLOCK_BYTES = 4 << 10;

const NONE = -1;
/** More than are written and pushed out at once need not be kept. */
const SPARES_MAX = 16;

/**
 * Blocks of data files that were read or written last, by the clock algorithm (Corbató, 1968): a block that was used
 * since the hand last passed it is spared once. Complete blocks never change, so none is ever out of date. The memory of
 * a block is used again for another one: nobody may keep a view of it beyond the present call.
 *
 * A hash table with chains in typed arrays. A Map in order of use leaves a table of some 200 KB as garbage every few
 * thousand reads, which V8 collects late.
 */
export class BlockCache {
  /** Each holds a block. #frames.length <= #framesMax */
  readonly #frames: Uint8Array[] = [];
  readonly #framesMax: number;
  /** Of each frame: which block it holds, whether that was used lately, and the next frame of its chain. */
  readonly #files: Uint32Array;
  readonly #numbers: Uint32Array;
  readonly #used: Uint8Array;
  readonly #next: Int32Array;
  /** First frame of each chain. A power of two of them, at least #framesMax. */
  readonly #first: Int32Array;
  /** The frame looked at last when room was made. */
  #hand = NONE;
  /** Memory of blocks that were pushed out, for the next ones. */
  readonly #spares: Uint8Array[] = [];

  constructor(bytesMax: number) {
    this.#framesMax = Math.max(1, Math.floor(bytesMax / BLOCK_BYTES));
    this.#files = new Uint32Array(this.#framesMax);
    this.#numbers = new Uint32Array(this.#framesMax);
    this.#used = new Uint8Array(this.#framesMax);
    this.#next = new Int32Array(this.#framesMax);
    this.#first = new Int32Array(2 ** Math.ceil(Math.log2(this.#framesMax))).fill(NONE);
  }

  /** @param file id of the `DataFile` @param number of the block in it, below 2^32 */
  get(file: number, number: number): Uint8Array | undefined {
    for (let frame = this.#first[this.#chain(file, number)]!; frame !== NONE; frame = this.#next[frame]!) {
      if (this.#numbers[frame] !== number || this.#files[frame] !== file) continue;
      this.#used[frame] = 1;
      return this.#frames[frame];
    }
    return undefined;
  }

  /** Takes over a block that is not there yet. */
  put(file: number, number: number, bytes: Uint8Array): void {
    const frame = this.#frames.length < this.#framesMax ? this.#frames.length : this.#makeRoom();
    const chain = this.#chain(file, number);
    this.#frames[frame] = bytes;
    this.#files[frame] = file;
    this.#numbers[frame] = number;
    this.#used[frame] = 0;
    this.#next[frame] = this.#first[chain]!;
    this.#first[chain] = frame;
  }

  /** Memory for a block, with anything in it. */
  take(): Uint8Array {
    return this.#spares.pop() ?? new Uint8Array(BLOCK_BYTES);
  }

  /** Empties a frame; returns it. */
  #makeRoom(): number {
    for (;;) {
      this.#hand = (this.#hand + 1) % this.#framesMax;
      if (this.#used[this.#hand] === 0) break;
      this.#used[this.#hand] = 0;
    }
    this.#unlink(this.#hand);
    if (this.#spares.length < SPARES_MAX) this.#spares.push(this.#frames[this.#hand]!);
    return this.#hand;
  }

  #unlink(frame: number): void {
    const chain = this.#chain(this.#files[frame]!, this.#numbers[frame]!);
    const next = this.#next[frame]!;
    if (this.#first[chain] === frame) {
      this.#first[chain] = next;
      return;
    }
    let before = this.#first[chain]!;
    while (this.#next[before] !== frame) before = this.#next[before]!;
    this.#next[before] = next;
  }

  #chain(file: number, number: number): number {
    const mixed = Math.imul(number ^ Math.imul(file, 0x85ebca6b), 0x9e3779b1);
    return (mixed ^ (mixed >>> 15)) & (this.#first.length - 1);
  }
}
