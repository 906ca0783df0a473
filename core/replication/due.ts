/**
 * How far the log of a slot had come at some times, to tell what ought to have arrived everywhere by now. The newest mark
 * that is old enough counts: nobody is blamed earlier than was said, and at most the distance of two marks later.
 */
export class DueMarks {
  /** In the order of both. */
  readonly #marks: { readonly lsn: number; atMs: number }[] = [];

  /** To be called now and then, with the last record that was sent or could have been. `keptMs`: see {@link through}. */
  note(lsn: number, nowMs: number, keptMs: number): void {
    const marks = this.#marks;
    if (lsn > (marks.at(-1)?.lsn ?? 0)) marks.push({ lsn, atMs: nowMs });
    while (marks.length > 1 && nowMs - marks[1]!.atMs >= keptMs) marks.shift();
  }

  /** All through this LSN was there `agoMs`, `keptMs` at most, ago; 0: nothing is known of that time. */
  through(nowMs: number, agoMs: number): number {
    return this.#marks.findLast(({ atMs }) => nowMs - atMs >= agoMs)?.lsn ?? 0;
  }

  /** This process was held up for so long, and has not seen what came meanwhile. */
  forgive(heldUpMs: number, nowMs: number): void {
    for (const mark of this.#marks) mark.atMs = Math.min(nowMs, mark.atMs + heldUpMs);
  }
}
