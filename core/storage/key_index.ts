import type { Places } from "./places.ts";

const CELLS_MIN = 8;
const EMPTY = 0;
const REMOVED = -1;

/**
 * The keys of a slot: a hash table with open addressing and linear probing (Knuth, TAOCP vol. 3, 6.4, algorithm L)
 * from keys to rows of {@link Places}. Of each cell the hash stands beside the row, so that probing and growing hardly
 * ever look at a key.
 */
export class KeyIndex {
  /** Pairs of hash and row + 1, or EMPTY or REMOVED in its stead. A power of two of them, at most 3/4 not EMPTY. */
  #cells = new Int32Array(2 * CELLS_MIN);
  #size = 0;
  /** Cells that are not EMPTY. size <= taken */
  #taken = 0;

  constructor(readonly places: Places) {}

  get size(): number {
    return this.#size;
  }

  /** The key's row; -1 when it has none. `hash` is fnv1a32 of the key. */
  get(key: string, hash: number): number {
    const cell = this.#find(key, hash);
    return cell < 0 ? -1 : this.#cells[cell + 1]! - 1;
  }

  /** Adds a key that is not there yet; its row already holds it. */
  add(hash: number, row: number): void {
    if (4 * (this.#taken + 1) > 3 * (this.#cells.length / 2)) this.#rebuild();
    this.#insert(hash, row + 1);
    this.#taken++;
    this.#size++;
  }

  /** Takes out a key; returns its row, -1 when it was not there. */
  delete(key: string, hash: number): number {
    const cell = this.#find(key, hash);
    if (cell < 0) return -1;
    const row = this.#cells[cell + 1]! - 1;
    this.#cells[cell + 1] = REMOVED;
    this.#size--;
    return row;
  }

  *rows(): Generator<number> {
    for (let cell = 0; cell < this.#cells.length; cell += 2) {
      if (this.#cells[cell + 1]! > 0) yield this.#cells[cell + 1]! - 1;
    }
  }

  #find(key: string, hash: number): number {
    const cells = this.#cells;
    const mask = cells.length - 1;
    for (let cell = startOf(hash, mask);; cell = (cell + 2) & mask) {
      const row = cells[cell + 1]!;
      if (row === EMPTY) return -1;
      if (row > 0 && cells[cell] === (hash | 0) && this.places.hasKey(row - 1, key)) return cell;
    }
  }

  #insert(hash: number, content: number): void {
    const cells = this.#cells;
    const mask = cells.length - 1;
    let cell = startOf(hash, mask);
    while (cells[cell + 1] !== EMPTY) cell = (cell + 2) & mask;
    cells[cell] = hash;
    cells[cell + 1] = content;
  }

  /** Makes the table as large as its keys need, and drops what was removed. */
  #rebuild(): void {
    const old = this.#cells;
    let cells = CELLS_MIN;
    while (cells < 2 * (this.#size + 1)) cells *= 2;
    this.#cells = new Int32Array(2 * cells);
    for (let cell = 0; cell < old.length; cell += 2) {
      if (old[cell + 1]! > 0) this.#insert(old[cell]!, old[cell + 1]!);
    }
    this.#taken = this.#size;
  }
}

/** The hashes of a slot agree modulo MSN: mixing (Knuth's multiplicative hashing) spreads them over the table. */
function startOf(hash: number, mask: number): number {
  const mixed = Math.imul(hash, 0x9e3779b1);
  return ((mixed ^ (mixed >>> 15)) << 1) & mask;
}
