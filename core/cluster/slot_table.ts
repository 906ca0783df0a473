import { KvError } from "../platform/errors.ts";
import type { Log } from "../platform/ports.ts";
import { SlotOwner } from "../replication/slot_owner.ts";
import { slotOf } from "../ring/placement.ts";
import { type NodeRef, type Ring, sameRef } from "../ring/ring.ts";
import type { Engine } from "../storage/engine.ts";

/**
 * The slots that this data node owns by the newest ring that it knows, each with its {@link SlotOwner}.
 *
 * Invariant: an owner in the table stands in that ring for (this node id, this incarnation, its epoch).
 */
export class SlotTable {
  readonly #owners: (SlotOwner | undefined)[];
  #ringVersion = 0;
  /** The ring version that a freeze waits to be replaced; 0 when nothing is frozen. */
  #frozenAtVersion = 0;

  constructor(
    private readonly engine: Engine,
    private readonly self: NodeRef,
    private readonly msn: number,
    private readonly clientsMax: number,
    private readonly log: Log,
  ) {
    this.#owners = new Array(msn).fill(undefined);
    engine.onDurable((slots) => {
      for (const slot of slots) this.#owners[slot]?.durable();
    });
    engine.onRejected((slot, fromLsn, error) => this.#owners[slot]?.rejected(fromLsn, error));
    engine.onFailure((error) => this.#closeAll(`the storage has failed: ${error.message}`));
  }

  get ringVersion(): number {
    return this.#ringVersion;
  }

  owner(slot: number): SlotOwner | undefined {
    return this.#owners[slot];
  }

  /** The slots in the table, ascending. */
  owned(): number[] {
    return [...this.#owners.keys()].filter((slot) => this.#owners[slot] !== undefined);
  }

  /** The owner of the hash's slot; throws `wrong-owner` or `unavailable`. */
  ownerOf(hash: number): SlotOwner {
    const slot = slotOf(hash, this.msn);
    return this.#owners[slot] ?? this.#refuse(slot);
  }

  /** Takes up what a newer ring gives to this process and lets go of what it does not. */
  adopt(ring: Ring): void {
    if (ring.version <= this.#ringVersion) return;
    this.#ringVersion = ring.version;
    for (const [slot, entry] of ring.slots.entries()) {
      const present = this.#owners[slot];
      if (!sameRef(entry.owner, this.self)) {
        present?.close("the slot has another owner now");
        this.#owners[slot] = undefined;
      } else if (present?.epoch === entry.epoch) {
        if (ring.version > this.#frozenAtVersion) present.thaw();
      } else {
        present?.close("the slot has a newer epoch");
        this.#owners[slot] = this.#take(slot, entry.epoch);
      }
    }
  }

  /**
   * Stops serving the slots, if none was ever written, until a ring above `ringVersion` decides. Returns those that
   * were written; then nothing is frozen. Throws `unavailable` unless that is the version this node knows.
   */
  freeze(slots: readonly number[], ringVersion: number): number[] {
    if (ringVersion !== this.#ringVersion) {
      throw new KvError(
        "unavailable",
        `this node knows ring version ${this.#ringVersion}, not ${ringVersion}`,
      );
    }
    const written = slots.filter((slot) => this.#owners[slot]?.written ?? true);
    if (written.length > 0) return written;
    this.#frozenAtVersion = ringVersion;
    for (const slot of slots) this.#owners[slot]?.freeze("it is being given to a node that joins");
    return [];
  }

  #take(slot: number, epoch: number): SlotOwner | undefined {
    const { lastEpoch, damage } = this.engine.slot(slot);
    if (damage !== undefined) {
      this.log("error", "a slot is not served: its copy is damaged", { slot, ...damage });
      return undefined;
    }
    if (lastEpoch > epoch) {
      const message =
        "a slot is not served: its log is of a later epoch than the ring; was the coordinator restored " +
        "from an old copy?";
      this.log("error", message, { slot, logEpoch: lastEpoch, ringEpoch: epoch });
      return undefined;
    }
    const owner = new SlotOwner(this.engine, slot, epoch, this.clientsMax);
    owner.begin();
    return owner;
  }

  #refuse(slot: number): never {
    const { damage } = this.engine.slot(slot);
    if (damage !== undefined) {
      const { file, offset, reason } = damage;
      throw new KvError(
        "damaged",
        `the copy of slot ${slot} is damaged: ${file} at byte ${offset}: ${reason}`,
        { slot },
      );
    }
    const fields = { slot, ringVersion: this.#ringVersion };
    throw new KvError("wrong-owner", `slot ${slot} is not owned by this node`, fields);
  }

  #closeAll(why: string): void {
    for (const owner of this.#owners) owner?.close(why);
  }
}
