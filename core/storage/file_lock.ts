/**
 * A read-write lock with a synchronous fast path: the `try` calls take it at once or not at all, the others call back
 * when it is taken, in the order asked (a waiting writer holds later readers up, so nobody starves). Who throws from
 * that call has to release the lock all the same; the others get their turn before the first such error goes on.
 */
export class FileLock {
  /** readers > 0 => !writing; writing or readers > 0 or queue is empty. */
  #readers = 0;
  #writing = false;
  /** Those before `#head` have had their turn; empty when nobody waits. */
  #queue: { readonly write: boolean; readonly taken: () => void }[] = [];
  #head = 0;
  #waking = false;

  tryRead(): boolean {
    if (this.#writing || this.#queue.length > 0) return false;
    this.#readers++;
    return true;
  }

  tryWrite(): boolean {
    if (this.#writing || this.#readers > 0 || this.#queue.length > 0) return false;
    this.#writing = true;
    return true;
  }

  /** Calls `taken` when the lock is held for reading: at once, or from within a release. */
  read(taken: () => void): void {
    if (this.tryRead()) taken();
    else this.#queue.push({ write: false, taken });
  }

  /** Calls `taken` when the lock is held for writing: at once, or from within a release. */
  write(taken: () => void): void {
    if (this.tryWrite()) taken();
    else this.#queue.push({ write: true, taken });
  }

  releaseRead(): void {
    if (this.#readers === 0) throw new Error("read lock released but not held");
    this.#readers--;
    this.#wake();
  }

  releaseWrite(): void {
    if (!this.#writing) throw new Error("write lock released but not held");
    this.#writing = false;
    this.#wake();
  }

  /** Holds the lock for writing until the work's promise settles. */
  async writing<T>(work: () => Promise<T> | T): Promise<T> {
    await new Promise<void>((taken) => this.write(taken));
    try {
      return await work();
    } finally {
      this.releaseWrite();
    }
  }

  /** A waiter may release within its call: the loop that is under way goes on then, however many wait. */
  #wake(): void {
    if (this.#waking) return;
    this.#waking = true;
    const errors: unknown[] = [];
    for (let next = this.#take(); next !== undefined; next = this.#take()) {
      try {
        next();
      } catch (error) {
        errors.push(error);
      }
    }
    this.#waking = false;
    if (errors.length > 0) throw errors[0];
  }

  /** Takes the lock for the one who is next, if it can be had. */
  #take(): (() => void) | undefined {
    const next = this.#queue[this.#head];
    if (next === undefined || this.#writing || (next.write && this.#readers > 0)) return undefined;
    if (++this.#head === this.#queue.length || this.#head > 4096) {
      this.#queue = this.#queue.slice(this.#head);
      this.#head = 0;
    }
    if (next.write) this.#writing = true;
    else this.#readers++;
    return next.taken;
  }
}
