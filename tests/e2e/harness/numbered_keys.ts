import type { Client, Versioned } from "../../../core/client/api.ts";

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

  /** Rejects when the key does not hold what it must. */
  async get(number: number): Promise<void> {
    const wrong = this.#wrong(number, await this.client.get(keyOf(number)));
    if (wrong !== undefined) throw new Error(wrong);
  }

  /** Reads all keys; returns how many do not hold what they must, and shows some of them. */
  async wrong(): Promise<{ count: number; examples: string[] }> {
    const wrong: string[] = [];
    for (let first = 0; first < this.size; first += AT_ONCE) {
      const numbers = Array.from({ length: Math.min(AT_ONCE, this.size - first) }, (_, i) => first + i);
      const found = await this.client.getMany(numbers.map(keyOf), { timeoutMs: TIMEOUT_MS });
      wrong.push(...numbers.flatMap((number, i) => this.#wrong(number, found[i]) ?? []));
    }
    return { count: wrong.length, examples: wrong.slice(0, SHOWN) };
  }

  #wrong(number: number, found: Versioned | undefined): string | undefined {
    const write = this.#writes[number]!;
    const value = found && decoder.decode(found.value);
    if (write === UNKNOWN || value === valueOf(number, write)) return undefined;
    return `${keyOf(number)} holds ${value?.trimEnd()}, not what write ${write} put`;
  }
}

function keyOf(number: number): string {
  return `key-${String(number).padStart(12, "0")}`;
}

function valueOf(number: number, write: number): string {
  return `value of key ${number} by write ${write}`.padEnd(VALUE_BYTES);
}
