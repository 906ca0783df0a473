/**
 * The seat for one more data node: the first takes 0, a further one the middle of the widest gap between adjacent
 * labels. The gap over the seam counts too; of equal gaps the one that starts lowest is taken. {0} -> 68 and
 * {0, 68} -> 102 at 137 seats.
 *
 * `labels` are distinct seats in any order. Undefined when every seat is taken.
 */
export function nextLabel(labels: readonly number[], msn: number): number | undefined {
  const sorted = labels.toSorted((a, b) => a - b);
  const lowest = sorted[0];
  if (lowest === undefined) return 0;
  let widest = 1;
  let middle: number | undefined;
  for (const [i, start] of sorted.entries()) {
    const gap = (sorted[i + 1] ?? lowest + msn) - start;
    if (gap > widest) {
      widest = gap;
      middle = (start + Math.floor(gap / 2)) % msn;
    }
  }
  return middle;
}
