/**
 * How far the log of a slot had come at some times, to tell what ought to have arrived everywhere by now. The newest mark
 * that is old enough counts: nobody is blamed earlier than was said, and at most the distance of two marks later.
 */
export class DueMarks {
  /** In the order of both. */
  #marks: { readonly lsn: number; atMs: number }[] = [];

  /** To be called now and then, with the last record that was sent or could have been. */
  note(lsn: number, nowMs: number): void {
    if (lsn > (this.#marks.at(-1)?.lsn ?? 0)) this.#marks.push({ lsn, atMs: nowMs });
  }

  /** All through this LSN was there `agoMs` ago, by the marks; 0: nothing is known of that time. */
  through(nowMs: number, agoMs: number): number {
    const due = this.#marks.findLastIndex(({ atMs }) => nowMs - atMs >= agoMs);
    if (due > 0) this.#marks.splice(0, due);
    return due < 0 ? 0 : this.#marks[0]!.lsn;
  }

  /** This process was held up for so long, and has not seen what came meanwhile. */
  forgive(heldUpMs: number, nowMs: number): void {
    for (const mark of this.#marks) mark.atMs = Math.min(nowMs, mark.atMs + heldUpMs);
  }
}
