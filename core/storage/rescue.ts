import { KvError } from "../platform/errors.ts";
import { type AsideParts, asidePath, writeAside } from "./aside.ts";
import { salvage, type Salvaged, type SalvageParts } from "./salvage.ts";
import type { SlotState } from "./slot_state.ts";

export interface RescueParts extends AsideParts, SalvageParts {
  readonly slot: (slot: number) => SlotState;
  /** Throws KvError disk-full when there is no room for so much. */
  readonly admit: (bytes: number) => void;
}

/** What becomes of copies for which there is no better one, or that an operator has given up. */
export class Rescue {
  readonly #busy = new Set<number>();

  constructor(private readonly parts: RescueParts) {}

  /** Nobody else may append to a slot that is being worked on. */
  checkIdle(slot: number): void {
    if (!this.#busy.has(slot)) return;
    throw new KvError("unavailable", `slot ${slot} is being salvaged or set aside`, { slot });
  }

  /**
   * Takes a copy for the whole slot when there is no better one, damaged, incomplete or behind as it may be: what the
   * node holds is committed, without what cannot be read of it, as the state at the start of `epoch`. Its LSNs go on far
   * above those that may have been lost.
   *
   * @throws KvError disk-full, unavailable: the copy is as it was, or incomplete
   */
  salvage(slot: number, epoch: number): Promise<Salvaged> {
    return this.#alone(slot, (state) => salvage(state, epoch, this.parts));
  }

  /** Whether the copy, as it is now, was kept by {@link setAside}. */
  isAside(slot: number): boolean {
    return this.parts.disk.exists(asidePath(this.parts.folder, this.parts.slot(slot)));
  }

  /** Keeps what can be read of the copy in a file, for people. Throws KvError disk-full, and DiskError. */
  setAside(slot: number): Promise<void> {
    return this.#alone(slot, (state) => {
      // In JSON everything may get longer.
      this.parts.admit(2 * state.bytes);
      return writeAside(state, this.parts);
    });
  }

  async #alone<R>(slot: number, action: (state: SlotState) => Promise<R>): Promise<R> {
    this.checkIdle(slot);
    this.#busy.add(slot);
    try {
      return await action(this.parts.slot(slot));
    } finally {
      this.#busy.delete(slot);
    }
  }
}
