import { isPrime, LEVELS_MAX } from "../platform/limits.ts";

export { isPrime };

/**
 * The files of a data folder. With L levels, the key with hash h lies in `h mod 3 / h mod 5 / ...` for the first L
 * primes from 3 on. The moduli are coprime, so by the Chinese remainder theorem every file is equally likely.
 */

/** The first `count` primes from 3 on: 3, 5, 7, 11, ... */
export function primesFrom3(count: number): number[] {
  const primes: number[] = [];
  for (let candidate = 3; primes.length < count; candidate += 2) {
    if (isPrime(candidate)) primes.push(candidate);
  }
  return primes;
}

const PRIMES: readonly number[] = primesFrom3(LEVELS_MAX);

/** How many files a data folder of `levels` levels (1..4) has: 3, 15, 105 or 1155. */
export function fileCount(levels: number): number {
  checkLevels(levels);
  return PRIMES.slice(0, levels).reduce((product, prime) => product * prime, 1);
}

/** Number of the file for a hash: its remainders read as one number of mixed radix, 0..fileCount(levels)-1. */
export function fileIndex(hash: number, levels: number): number {
  checkLevels(levels);
  let index = 0;
  for (let level = 0; level < levels; level++) {
    const prime = PRIMES[level]!;
    index = index * prime + hash % prime;
  }
  return index;
}

/** Path of file number `index`, relative to the data folder, such as "2/0"; inverse of {@link fileIndex}. */
export function fileIndexPath(index: number, levels: number): string {
  if (!Number.isSafeInteger(index) || index < 0 || index >= fileCount(levels)) {
    throw new RangeError(`file number ${index} is not within 0..${fileCount(levels) - 1}`);
  }
  const parts: number[] = [];
  let rest = index;
  for (let level = levels - 1; level >= 0; level--) {
    const prime = PRIMES[level]!;
    parts.unshift(rest % prime);
    rest = Math.floor(rest / prime);
  }
  return parts.join("/");
}

/** Path of the file for a hash, relative to the data folder: 1395665 at two levels -> "2/0". */
export function filePath(hash: number, levels: number): string {
  return fileIndexPath(fileIndex(hash, levels), levels);
}

function checkLevels(levels: number): void {
  if (!Number.isSafeInteger(levels) || levels < 1 || levels > LEVELS_MAX) {
    throw new RangeError(`levels ${levels} is not within 1..${LEVELS_MAX}`);
  }
}
