/**
 * A read-write lock with a synchronous fast path: the `try` calls take it at once or not at all, the others call back
 * when it is taken, in the order asked (a waiting writer holds later readers up, so nobody starves).
 */
export class FileLock {
  /** readers > 0 => !writing; writing or readers > 0 or queue is empty. */
  #readers = 0;
  #writing = false;
  #queue: { readonly write: boolean; readonly taken: () => void }[] = [];

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

  #wake(): void {
    while (this.#queue.length > 0 && !this.#writing) {
      const next = this.#queue[0]!;
      if (next.write && this.#readers > 0) return;
      this.#queue.shift();
      if (next.write) this.#writing = true;
      else this.#readers++;
      next.taken();
    }
  }
}
