/** What a write was answered. */
export interface WriteResult {
  /** The version answered: the record's LSN, or for a write that changed nothing the present value's. */
  readonly lsn: number;
  readonly epoch: number;
  /** A proto Outcome. */
  readonly outcome: number;
}

/** Hashes a whole number into a hash: the rounds of MurmurHash3 (Austin Appleby, 2011) over its two halves. */
export function mix(hash: number, number: number): number {
  for (const half of [number % 2 ** 32, number / 2 ** 32]) {
    const scrambled = Math.imul(half, 0xcc9e2d51);
    hash ^= Math.imul((scrambled << 15) | (scrambled >>> 17), 0x1b873593);
    hash = (Math.imul((hash << 13) | (hash >>> 19), 5) + 0xe6546b64) >>> 0;
  }
  return (hash ^ (hash >>> 16)) >>> 0;
}

/** Numbers per result: sequence, lsn, epoch, outcome. */
const WIDTH = 4;
const ROOM_MIN = 4 * WIDTH;

/**
 * The results of one client's writes in order of sequence; nearly all come and go in this order.
 *
 * Outside of the JavaScript heap: results live just long enough for V8 to move them to the old generation, and would
 * stay there as garbage until a full collection.
 */
export class Results {
  #kept = new Float64Array(ROOM_MIN);
  /** How many numbers of #kept count; a multiple of WIDTH. */
  #used = 0;

  get(sequence: number): WriteResult | undefined {
    const at = this.#firstFrom(sequence);
    return this.#holds(at, sequence) ? this.#at(at) : undefined;
  }

  /** Sequence of the `count`-th latest; 0 when there are no so many. */
  latest(count: number): number {
    const at = this.#used - count * WIDTH;
    return at < 0 ? 0 : this.#kept[at]!;
  }

  /** Adds a result, or replaces the one of this sequence. */
  set(sequence: number, { lsn, epoch, outcome }: WriteResult): void {
    const at = this.#firstFrom(sequence);
    if (!this.#holds(at, sequence)) {
      if (this.#used === this.#kept.length) this.#resize(2 * this.#used);
      this.#kept.copyWithin(at + WIDTH, at, this.#used);
      this.#used += WIDTH;
    }
    this.#kept[at] = sequence;
    this.#kept[at + 1] = lsn;
    this.#kept[at + 2] = epoch;
    this.#kept[at + 3] = outcome;
  }

  dropBelow(lowest: number): void {
    const count = this.#firstFrom(lowest);
    if (count === 0) return;
    this.#kept.copyWithin(0, count, this.#used);
    this.#used -= count;
    if (8 * this.#used < this.#kept.length) this.#resize(Math.max(ROOM_MIN, 2 * this.#used));
  }

  entries(): [sequence: number, result: WriteResult][] {
    return Array.from(
      { length: this.#used / WIDTH },
      (_, i) => [this.#kept[i * WIDTH]!, this.#at(i * WIDTH)],
    );
  }

  /** A hash of all of them, and of `seed`. */
  digest(seed: number): number {
    let hash = seed;
    for (let at = 0; at < this.#used; at++) hash = mix(hash, this.#kept[at]!);
    return hash;
  }

  /** Where the first result stands whose sequence is not below `sequence`, or would be added. */
  #firstFrom(sequence: number): number {
    const kept = this.#kept;
    // So it is with nearly all that are asked for: they are new.
    if (this.#used === 0 || kept[this.#used - WIDTH]! < sequence) return this.#used;
    let low = 0;
    let high = this.#used / WIDTH - 1;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (kept[middle * WIDTH]! < sequence) low = middle + 1;
      else high = middle;
    }
    return low * WIDTH;
  }

  #holds(at: number, sequence: number): boolean {
    return at < this.#used && this.#kept[at] === sequence;
  }

  #at(at: number): WriteResult {
    return { lsn: this.#kept[at + 1]!, epoch: this.#kept[at + 2]!, outcome: this.#kept[at + 3]! };
  }

  #resize(room: number): void {
    if (room === this.#kept.length) return;
    const kept = new Float64Array(room);
    kept.set(this.#kept.subarray(0, this.#used));
    this.#kept = kept;
  }
}
