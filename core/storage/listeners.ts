import type { Cancel } from "../platform/ports.ts";

/** Those who are to be told of something, in the order in which they asked. */
export class Listeners<T extends readonly unknown[]> {
  readonly #all = new Set<(...what: T) => void>();

  add(listener: (...what: T) => void): Cancel {
    this.#all.add(listener);
    return () => this.#all.delete(listener);
  }

  tell(...what: T): void {
    for (const listener of [...this.#all]) listener(...what);
  }
}
