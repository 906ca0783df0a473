/** "Did you mean": the known name nearest to what was typed. */

/** The name of `known` that `typed` most likely meant, or undefined when none is near. */
export function closest(typed: string, known: Iterable<string>): string | undefined {
  let best: string | undefined;
  let bestDistance = Math.max(1, Math.floor(plain(typed).length / 3)) + 1;
  for (const name of known) {
    const distance = editDistance(plain(typed), plain(name));
    if (distance < bestDistance) [best, bestDistance] = [name, distance];
  }
  return best;
}

/** `; did you mean "NAME"?`, or nothing. */
export function didYouMean(typed: string, known: Iterable<string>): string {
  const name = closest(typed, known);
  return name === undefined ? "" : `; did you mean "${name}"?`;
}

/** Spelling without what people mix up: case, dashes and underscores. */
function plain(name: string): string {
  return name.toLowerCase().replaceAll(/[-_]/g, "");
}

/**
 * Insertions, deletions, replacements and swaps of neighbours that make `a` into `b` ("optimal string alignment",
 * Damerau 1964): a swap is the commonest slip of fingers and counts once.
 */
function editDistance(a: string, b: string): number {
  const rows = [Array.from({ length: b.length + 1 }, (_, j) => j)];
  for (let i = 1; i <= a.length; i++) {
    const above = rows[i - 1]!;
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const replaced = above[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1);
      const swapped = i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1];
      row[j] = Math.min(
        above[j]! + 1,
        row[j - 1]! + 1,
        replaced,
        swapped ? rows[i - 2]![j - 2]! + 1 : Infinity,
      );
    }
    rows.push(row);
  }
  return rows[a.length]![b.length]!;
}
