import { neverHit } from "./coverage.ts";
import { REPLICATION } from "./plan.ts";
import type { RunReport } from "./run.ts";

/** Adds up the reports of many runs. */
export class Summary {
  readonly failedSeeds: number[] = [];
  #seeds = 0;
  #operations = 0;
  #events = 0;
  #virtualMs = 0;
  #gaveUp = 0;
  readonly #answers = new Map<string, number>();
  readonly #counts = new Map<string, number>();

  add(report: RunReport): void {
    this.#seeds++;
    this.#operations += report.operations;
    this.#events += report.events;
    this.#virtualMs += report.virtualMs;
    this.#gaveUp += report.gaveUp.length;
    for (const [kind, count] of Object.entries(report.answers)) addTo(this.#answers, kind, count);
    for (const [kind, count] of Object.entries(report.counts)) addTo(this.#counts, kind, count);
    if (report.violations.length > 0) this.failedSeeds.push(report.seed);
  }

  /** No violation, and no key of which nothing is known. */
  get passed(): boolean {
    return this.failedSeeds.length === 0 && this.#gaveUp === 0;
  }

  text(elapsedMs: number): string {
    const minutes = elapsedMs / 60_000;
    const missing = neverHit(this.#counts, REPLICATION);
    return [
      `${this.#seeds} seeds in ${(elapsedMs / 1000).toFixed(1)} s: ${
        (this.#seeds / minutes).toFixed(0)
      } per minute`,
      `${this.#operations} operations checked, ${this.#events} events, ` +
      `${(this.#virtualMs / 3_600_000).toFixed(2)} hours of virtual time`,
      `answers: ${listed(this.#answers)}`,
      "faults, and what followed from them:",
      ...[...this.#counts].toSorted().map(([kind, count]) => `  ${String(count).padStart(9)}  ${kind}`),
      ...(missing.length > 0
        ? ["NEVER HIT, so nothing is known about:", ...missing.map((each) => `  ${each}`)]
        : []),
      ...(this.#gaveUp > 0
        ? [`the checkers gave up on ${this.#gaveUp} keys: these are not known to be good`]
        : []),
      this.failedSeeds.length === 0
        ? "no violation"
        : `VIOLATIONS in ${this.failedSeeds.length} seeds: ${
          this.failedSeeds.toSorted((a, b) => a - b).join(" ")
        }`,
    ].join("\n");
  }
}

function addTo(map: Map<string, number>, key: string, count: number): void {
  map.set(key, (map.get(key) ?? 0) + count);
}

function listed(map: ReadonlyMap<string, number>): string {
  return [...map].toSorted().map(([kind, count]) => `${kind} ${count}`).join(", ");
}
