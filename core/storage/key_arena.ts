import { readBinary, writeBinary } from "./binary.ts";

const PAGE_BITS = 16;
const PAGE_BYTES = 1 << PAGE_BITS;

/**
 * The bytes of all keys, in pages. Outside of the JavaScript heap: a million strings would take twice the memory and be
 * looked at in every garbage collection. Keys are at most 65,535 bytes long.
 */
export class KeyArena {
  readonly #pages: Uint8Array[] = [];
  /** Bytes used of the last page. */
  #used = PAGE_BYTES;
  /** Places of removed keys, by length. */
  readonly #free = new Map<number, number[]>();

  /** Returns where the key is from now on. */
  add(key: string): number {
    const at = this.#free.get(key.length)?.pop() ?? this.#newPlace(key.length);
    writeBinary(key, this.#pages[Math.floor(at / PAGE_BYTES)]!, at % PAGE_BYTES);
    return at;
  }

  remove(at: number, length: number): void {
    const free = this.#free.get(length);
    if (free === undefined) this.#free.set(length, [at]);
    else free.push(at);
  }

  equals(at: number, length: number, key: string): boolean {
    if (length !== key.length) return false;
    const page = this.#pages[Math.floor(at / PAGE_BYTES)]!;
    const start = at % PAGE_BYTES;
    for (let i = 0; i < length; i++) if (page[start + i] !== key.charCodeAt(i)) return false;
    return true;
  }

  get(at: number, length: number): string {
    const start = at % PAGE_BYTES;
    return readBinary(this.#pages[Math.floor(at / PAGE_BYTES)]!, start, start + length);
  }

  #newPlace(length: number): number {
    if (this.#used + length > PAGE_BYTES) {
      this.#pages.push(new Uint8Array(PAGE_BYTES));
      this.#used = 0;
    }
    const at = (this.#pages.length - 1) * PAGE_BYTES + this.#used;
    this.#used += length;
    return at;
  }
}
