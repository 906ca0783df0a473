/** The set of explanations that the checker by version keeps. */

export interface Configuration {
  /** How many of the versioned writes are placed. */
  readonly placed: number;
  /** The version of the present value; "unseen": that of a put whose version nobody was told. */
  readonly value: number | "unseen" | "none";
  /** Bits of the pending operations already placed. */
  readonly done: number;
  /** Unseen writes used, by class. */
  readonly used: ReadonlyMap<string, number>;
}

/** Configurations of which none dominates another. */
export class Antichain {
  readonly #groups = new Map<string, Configuration[]>();

  /** False, and nothing is added, when one that is there can do all that this one can. */
  add(configuration: Configuration): boolean {
    const key = `${configuration.placed} ${configuration.value}`;
    const group = this.#groups.get(key) ?? [];
    if (group.some((other) => dominates(other, configuration))) return false;
    this.#groups.set(key, [...group.filter((other) => !dominates(configuration, other)), configuration]);
    return true;
  }

  all(): Configuration[] {
    return [...this.#groups.values()].flat();
  }
}

function dominates(a: Configuration, b: Configuration): boolean {
  if ((a.done & b.done) !== b.done) return false;
  for (const [kind, count] of a.used) if (count > (b.used.get(kind) ?? 0)) return false;
  return true;
}
