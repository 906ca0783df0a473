import type { Random } from "../platform/ports.ts";

const FIRST_MS = 20;
const MOST_MS = 250;

/**
 * How long to wait before a further try, after `failures` (1 or more) in a row: doubled each time from 20 to 250 ms,
 * of which a random half is left out, so that clients that failed together do not come back together.
 */
export function backoffMs(failures: number, random: Random): number {
  const fullMs = Math.min(MOST_MS, FIRST_MS * 2 ** Math.min(failures - 1, 10));
  return fullMs * (0.5 + 0.5 * random.number());
}
