import type { Cancel } from "../platform/ports.ts";
import { contradiction, isBlank } from "../ring/history.ts";
import type { Ring } from "../ring/ring.ts";

/** The newest ring that this process has seen, wherever it came from; older ones are ignored. */
export class RingKeeper {
  #ring: Ring | undefined;
  readonly #listeners = new Set<(ring: Ring) => void>();

  get ring(): Ring | undefined {
    return this.#ring;
  }

  get version(): number {
    return this.#ring?.version ?? 0;
  }

  /** Takes the ring if it is newer, and not of another history. A blank one gives way to that of any cluster. */
  offer(ring: Ring): void {
    if (ring.version <= this.version) return;
    const known = this.#ring;
    const contradicted = known !== undefined && contradiction(ring, known) !== undefined;
    if (contradicted && !(isBlank(known) && known.clusterId !== ring.clusterId)) return;
    this.#ring = ring;
    for (const listener of [...this.#listeners]) listener(ring);
  }

  /** Called with each newer ring from now on. */
  onRing(listener: (ring: Ring) => void): Cancel {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }
}
