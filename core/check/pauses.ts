/** A time for which a key did not answer. */
export interface Pause {
  readonly key: string;
  readonly fromUs: number;
  readonly lengthUs: number;
}

/**
 * Unavailability: the time from the call of an operation on a key to the next answer to *any* operation on it. Failures
 * and unknown outcomes are no answers. A key that nobody asks for has no pause. Calls and answers must be told in the
 * order of time.
 */
export class Pauses {
  /** The longest that has ended. */
  #longest: Pause | undefined;
  /** By key: since when somebody waits. */
  readonly #waiting = new Map<string, number>();

  called(key: string, atUs: number): void {
    if (!this.#waiting.has(key)) this.#waiting.set(key, atUs);
  }

  answered(key: string, atUs: number): void {
    const fromUs = this.#waiting.get(key);
    if (fromUs === undefined) return;
    this.#longest = longer(this.#longest, { key, fromUs, lengthUs: atUs - fromUs });
    this.#waiting.delete(key);
  }

  /** Up to now, pauses that have not ended included. */
  longest(nowUs: number): Pause | undefined {
    let longest = this.#longest;
    for (const [key, fromUs] of this.#waiting) {
      longest = longer(longest, { key, fromUs, lengthUs: nowUs - fromUs });
    }
    return longest;
  }
}

function longer(a: Pause | undefined, b: Pause): Pause {
  return a === undefined || b.lengthUs > a.lengthUs ? b : a;
}
