import type { Cancel } from "../platform/ports.ts";

/** Those who are to be told of something, in the order in which they asked. */
export class Listeners<T extends readonly unknown[], R = void> {
  readonly #all = new Set<(...what: T) => R>();

  add(listener: (...what: T) => R): Cancel {
    this.#all.add(listener);
    return () => this.#all.delete(listener);
  }

  /** Returns what they say to it. */
  tell(...what: T): R[] {
    return [...this.#all].map((listener) => listener(...what));
  }
}
