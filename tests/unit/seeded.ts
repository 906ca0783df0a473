/** A generator for property tests (mulberry32, Tommy Ettinger): the same seed gives the same numbers. */
export class Seeded {
  constructor(private state: number) {}

  /** Uniform integer in [0, bound). */
  below(bound: number): number {
    this.state = (this.state + 0x6d2b79f5) | 0;
    let t = Math.imul(this.state ^ (this.state >>> 15), 1 | this.state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return Math.floor(((t ^ (t >>> 14)) >>> 0) / 2 ** 32 * bound);
  }

  pick<T>(items: readonly T[]): T {
    return items[this.below(items.length)]!;
  }

  /** `count` distinct integers of [0, bound), in random order. */
  sample(count: number, bound: number): number[] {
    const all = Array.from({ length: bound }, (_, i) => i);
    for (let i = 0; i < count; i++) {
      const j = i + this.below(bound - i);
      [all[i], all[j]] = [all[j]!, all[i]!];
    }
    return all.slice(0, count);
  }
}
