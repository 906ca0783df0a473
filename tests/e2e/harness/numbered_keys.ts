import type { Client } from "../../../core/client/api.ts";

const AT_ONCE = 2000;
/** Long enough for a failover in between. */
const TIMEOUT_MS = 30_000;
const VALUE_BYTES = 100;
/** Of keys that may hold one value or another: their last write failed, or has not been answered yet. */
const UNKNOWN = -1;
const SHOWN = 10;

const decoder = new TextDecoder();

/** Keys of 16 bytes with values of 100, each different from all others; knows what each must hold. */
export class NumberedKeys {
  /** By the key's number: the number of the write that made its value. */
  readonly #writes: number[] = [];
  #count = 0;

  constructor(private readonly client: Client) {}

  /** Keys that were written, or tried to. */
  get size(): number {
    return this.#writes.length;
  }

  /** Gives the keys below `count` a value. */
  async fill(count: number): Promise<void> {
    for (let first = 0; first < count; first += AT_ONCE) {
      const numbers = Array.from({ length: Math.min(AT_ONCE, count - first) }, (_, i) => first + i);
      const write = ++this.#count;
      const entries = numbers.map((number) => [keyOf(number), valueOf(number, write)] as const);
      await this.client.putMany(entries, { timeoutMs: TIMEOUT_MS });
      numbers.forEach((number) => this.#writes[number] = write);
    }
  }

  /** Writes a key to which no other write is under way. */
  async put(number: number): Promise<void> {
    const write = ++this.#count;
    this.#writes[number] = UNKNOWN;
    await this.client.put(keyOf(number), valueOf(number, write));
    this.#writes[number] = write;
  }

  /** Reads all keys; returns how many do not hold what they must, and shows some of them. */
  async wrong(): Promise<{ count: number; examples: string[] }> {
    const examples: string[] = [];
    let count = 0;
    for (let first = 0; first < this.size; first += AT_ONCE) {
      const writes = this.#writes.slice(first, first + AT_ONCE);
      const keys = writes.map((_, i) => keyOf(first + i));
      const found = await this.client.getMany(keys, { timeoutMs: TIMEOUT_MS });
      for (const [i, write] of writes.entries()) {
        const value = found[i] && decoder.decode(found[i].value);
        if (write === UNKNOWN || value === valueOf(first + i, write)) continue;
        if (count++ < SHOWN) examples.push(`${keys[i]} holds ${value?.trimEnd()}, not write ${write}`);
      }
    }
    return { count, examples };
  }
}

function keyOf(number: number): string {
  return `key-${String(number).padStart(12, "0")}`;
}

function valueOf(number: number, write: number): string {
  return `value of key ${number} by write ${write}`.padEnd(VALUE_BYTES);
}
