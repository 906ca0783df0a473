/** Bounds on what a cluster may be; the configuration and the ring both hold to them. */

/** Seats of the smallest ring. */
export const MSN_MIN = 13;
/** Seats of the largest ring. Its document must still fit into one coordinator node. */
export const MSN_MAX = 1021;
/** Levels of the largest data folder: 3 x 5 x 7 x 11 = 1155 files. */
export const LEVELS_MAX = 4;
/** Bytes of the longest key that a cluster can be set to take. */
export const KEY_BYTES_MAX = 2 ** 12;
/** Bytes of the longest value that a cluster can be set to take. */
export const VALUE_BYTES_MAX = 2 ** 21;
/** Shorter promises would lapse between two heartbeats of a busy node. */
export const PROMISE_MS_MIN = 100;
/**
 * Results of one client that a slot remembers, about; of more the later half stays. A client that has more writes than
 * this under way in one slot may not learn what became of the earliest, should the owner fail.
 */
export const RESULTS_MAX = 8192;

/** Whether `value` is a prime number. By trial division, so for small numbers. */
export function isPrime(value: number): boolean {
  if (!Number.isSafeInteger(value) || value < 2) return false;
  for (let divisor = 2; divisor * divisor <= value; divisor++) {
    if (value % divisor === 0) return false;
  }
  return true;
}

/** The primes next to `value`, for messages: the largest below it and the smallest above it within MSN's bounds. */
export function primesNear(value: number): number[] {
  const candidates: number[] = [];
  for (let below = Math.min(Math.ceil(value) - 1, MSN_MAX); below >= MSN_MIN; below--) {
    if (isPrime(below)) {
      candidates.push(below);
      break;
    }
  }
  for (let above = Math.max(Math.floor(value) + 1, MSN_MIN); above <= MSN_MAX; above++) {
    if (isPrime(above)) {
      candidates.push(above);
      break;
    }
  }
  return candidates;
}
