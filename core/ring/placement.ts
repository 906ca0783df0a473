/** Who owns which slot by the rule. The ring, not the rule, says who owns now; the rule says what to move towards. */

/** The slot of a key's hash. */
export function slotOf(hash: number, msn: number): number {
  return hash % msn;
}

/** Seats between two seats, the shorter way round. */
export function ringDistance(a: number, b: number, msn: number): number {
  const apart = Math.abs(a - b);
  return Math.min(apart, msn - apart);
}

/**
 * For each slot the label that owns it: the one at the smallest ring distance, the smaller label where two are
 * equally far. `labels` are distinct seats in any order. Without labels every entry is -1.
 */
export function ruleOwners(labels: readonly number[], msn: number): Int32Array {
  const owners = new Int32Array(msn).fill(-1);
  const sorted = labels.toSorted((a, b) => a - b);
  const count = sorted.length;
  if (count === 0) return owners;
  // Only the two neighbours of a slot on the ring can be nearest: `after` is the first label at or above it.
  let after = 0;
  for (let slot = 0; slot < msn; slot++) {
    while (after < count && sorted[after]! < slot) after++;
    const above = sorted[after % count]!;
    const below = sorted[(after + count - 1) % count]!;
    const difference = ringDistance(slot, above, msn) - ringDistance(slot, below, msn);
    owners[slot] = difference === 0 ? Math.min(above, below) : difference < 0 ? above : below;
  }
  return owners;
}
