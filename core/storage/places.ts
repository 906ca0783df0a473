import { KeyArena } from "./key_arena.ts";

const CHUNK_BITS = 13;
const CHUNK_ROWS = 1 << CHUNK_BITS;
const ROW_MASK = CHUNK_ROWS - 1;
const ROW_BYTES = 40;
const F64 = ROW_BYTES / 8;
const U32 = ROW_BYTES / 4;

/** Rows side by side in one piece of memory, so that looking at one costs a cache line or two. */
class Chunk {
  /** Of a row: version, offset, key's place, and then, as 32-bit numbers: see the constants below. */
  readonly f64: Float64Array;
  readonly u32: Uint32Array;

  constructor() {
    const memory = new ArrayBuffer(CHUNK_ROWS * ROW_BYTES);
    this.f64 = new Float64Array(memory);
    this.u32 = new Uint32Array(memory);
  }
}

const [VERSION, OFFSET, KEY_AT] = [0, 1, 2];
const [VALUE_BYTES, CHECKSUM, FILE, KEY_BYTES] = [6, 7, 8, 9];

/**
 * The committed entries, but for their values: one row of 40 bytes per key, and the key's bytes. A million objects
 * would take several times the memory. Grows by chunks, so that growing copies nothing.
 */
export class Places {
  readonly #chunks: Chunk[] = [];
  #rows = 0;
  readonly #free: number[] = [];
  readonly #keys = new KeyArena();

  /** A row for the key; the rest of it is yet to be set. */
  add(key: string): number {
    const row = this.#free.pop() ?? this.#newRow();
    const { f64, u32 } = this.#chunks[row >> CHUNK_BITS]!;
    f64[F64 * (row & ROW_MASK) + KEY_AT] = this.#keys.add(key);
    u32[U32 * (row & ROW_MASK) + KEY_BYTES] = key.length;
    return row;
  }

  release(row: number): void {
    this.#keys.remove(this.#f64(row, KEY_AT), this.keyBytes(row));
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
    f64[F64 * i + VERSION] = version;
    f64[F64 * i + OFFSET] = offset;
    u32[U32 * i + VALUE_BYTES] = valueBytes;
    u32[U32 * i + CHECKSUM] = checksum;
    u32[U32 * i + FILE] = file;
  }

  /** The entry moved, unchanged. */
  move(row: number, file: number, offset: number): void {
    const { f64, u32 } = this.#chunks[row >> CHUNK_BITS]!;
    f64[F64 * (row & ROW_MASK) + OFFSET] = offset;
    u32[U32 * (row & ROW_MASK) + FILE] = file;
  }

  key(row: number): string {
    return this.#keys.get(this.#f64(row, KEY_AT), this.keyBytes(row));
  }

  hasKey(row: number, key: string): boolean {
    return this.#keys.equals(this.#f64(row, KEY_AT), this.keyBytes(row), key);
  }

  version(row: number): number {
    return this.#f64(row, VERSION);
  }

  offset(row: number): number {
    return this.#f64(row, OFFSET);
  }

  valueBytes(row: number): number {
    return this.#u32(row, VALUE_BYTES);
  }

  checksum(row: number): number {
    return this.#u32(row, CHECKSUM);
  }

  file(row: number): number {
    return this.#u32(row, FILE);
  }

  keyBytes(row: number): number {
    return this.#u32(row, KEY_BYTES);
  }

  #f64(row: number, column: number): number {
    return this.#chunks[row >> CHUNK_BITS]!.f64[F64 * (row & ROW_MASK) + column]!;
  }

  #u32(row: number, column: number): number {
    return this.#chunks[row >> CHUNK_BITS]!.u32[U32 * (row & ROW_MASK) + column]!;
  }

  #newRow(): number {
    if (this.#rows % CHUNK_ROWS === 0) this.#chunks.push(new Chunk());
    return this.#rows++;
  }
}
