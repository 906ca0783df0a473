const CHUNK_BITS = 13;
const CHUNK_ROWS = 1 << CHUNK_BITS;
const ROW_MASK = CHUNK_ROWS - 1;
const ROW_BYTES = 32;

/** Rows side by side in one piece of memory, so that looking at one costs one cache line. */
class Chunk {
  /** Per row: version, offset, and then, as 32-bit numbers: value length, checksum, file. */
  readonly f64: Float64Array;
  readonly u32: Uint32Array;

  constructor() {
    const memory = new ArrayBuffer(CHUNK_ROWS * ROW_BYTES);
    this.f64 = new Float64Array(memory);
    this.u32 = new Uint32Array(memory);
  }
}

/**
 * Where the committed entries are: one row of 32 bytes per key, as a million objects would take several times the
 * memory. Grows by chunks, so that growing copies nothing.
 */
export class Places {
  readonly #chunks: Chunk[] = [];
  #rows = 0;
  readonly #free: number[] = [];

  /** A row whose content is yet to be set. */
  add(): number {
    const free = this.#free.pop();
    if (free !== undefined) return free;
    if (this.#rows % CHUNK_ROWS === 0) this.#chunks.push(new Chunk());
    return this.#rows++;
  }

  release(row: number): void {
    this.#free.push(row);
  }

  /** @param file id of the `DataFile` @param offset of the record in it */
  set(
    row: number,
    version: number,
    file: number,
    offset: number,
    valueBytes: number,
    checksum: number,
  ): void {
    const { f64, u32 } = this.#chunks[row >> CHUNK_BITS]!;
    const i = row & ROW_MASK;
    f64[4 * i] = version;
    f64[4 * i + 1] = offset;
    u32[8 * i + 4] = valueBytes;
    u32[8 * i + 5] = checksum;
    u32[8 * i + 6] = file;
  }

  /** The entry moved, unchanged. */
  move(row: number, file: number, offset: number): void {
    const { f64, u32 } = this.#chunks[row >> CHUNK_BITS]!;
    f64[4 * (row & ROW_MASK) + 1] = offset;
    u32[8 * (row & ROW_MASK) + 6] = file;
  }

  version(row: number): number {
    return this.#chunks[row >> CHUNK_BITS]!.f64[4 * (row & ROW_MASK)]!;
  }

  offset(row: number): number {
    return this.#chunks[row >> CHUNK_BITS]!.f64[4 * (row & ROW_MASK) + 1]!;
  }

  valueBytes(row: number): number {
    return this.#chunks[row >> CHUNK_BITS]!.u32[8 * (row & ROW_MASK) + 4]!;
  }

  checksum(row: number): number {
    return this.#chunks[row >> CHUNK_BITS]!.u32[8 * (row & ROW_MASK) + 5]!;
  }

  file(row: number): number {
    return this.#chunks[row >> CHUNK_BITS]!.u32[8 * (row & ROW_MASK) + 6]!;
  }
}
