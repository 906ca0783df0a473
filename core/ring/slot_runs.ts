/** `0..34, 130`: ascending slots, runs merged. */
export function slotRuns(slots: readonly number[]): string {
  const runs: [first: number, last: number][] = [];
  for (const slot of slots) {
    const run = runs.at(-1);
    if (run !== undefined && run[1] === slot - 1) run[1] = slot;
    else runs.push([slot, slot]);
  }
  return runs.map(([first, last]) => first === last ? `${first}` : `${first}..${last}`).join(", ");
}
