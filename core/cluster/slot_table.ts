import { KvError } from "../platform/errors.ts";
import type { Log } from "../platform/ports.ts";
import type { Replicas } from "../replication/replicas.ts";
import type { Replicator } from "../replication/replicator.ts";
import { type OwnerParts, SlotOwner } from "../replication/slot_owner.ts";
import { slotOf } from "../ring/placement.ts";
import { type Ring, sameRef } from "../ring/ring.ts";

export interface SlotTableParts extends OwnerParts {
  readonly msn: number;
  readonly log: Log;
  readonly replicas: Replicas;
  readonly replicator: Replicator;
}

/**
 * The slots that this node owns by the newest ring that it knows, each with its {@link SlotOwner}.
 *
 * Invariant: an owner in the table stands in that ring for (this node id, this incarnation, its epoch), or is closed.
 */
export class SlotTable {
  readonly #owners = new Map<number, SlotOwner>();
  #ringVersion = 0;

  constructor(private readonly parts: SlotTableParts) {
    const { engine } = parts;
    engine.onDurable((slots) => {
      for (const slot of slots) this.#owners.get(slot)?.advance();
    });
    engine.onRejected((slot, fromLsn, error) => this.#owners.get(slot)?.rejected(fromLsn, error));
    engine.onFailure((error) => this.#closeAll(`the storage has failed: ${error.message}`));
    engine.onDamage((slot, { file, offset, reason }) =>
      this.#close(slot, `its copy is damaged: ${reason} (${file}, byte ${offset})`)
    );
  }

  get ringVersion(): number {
    return this.#ringVersion;
  }

  owner(slot: number): SlotOwner | undefined {
    return this.#owners.get(slot);
  }

  /** The slots in the table, ascending. */
  owned(): number[] {
    return [...this.#owners.keys()].sort((a, b) => a - b);
  }

  /** The owner of the hash's slot; throws `wrong-owner`, `unavailable` or `damaged`. */
  ownerOf(hash: number): SlotOwner {
    const slot = slotOf(hash, this.parts.msn);
    return this.#owners.get(slot) ?? this.#refuse(slot);
  }

  /** Takes up what a newer ring gives to this process and lets go of what it does not. */
  adopt(ring: Ring): void {
    if (ring.version <= this.#ringVersion) return;
    this.#ringVersion = ring.version;
    for (const [slot, entry] of ring.slots.entries()) {
      const present = this.#owners.get(slot);
      if (!sameRef(entry.owner, this.parts.self)) {
        present?.close("the slot has another owner now");
        this.#owners.delete(slot);
      } else if (present?.epoch !== entry.epoch) {
        present?.close("the slot has a newer epoch");
        this.#take(slot, entry.epoch);
      }
    }
    this.parts.replicator.adopt(ring, this.#owners);
  }

  /** Somebody else owns the slot in this epoch, though the ring that says so has not come yet. */
  deposed(slot: number, epoch: number): void {
    const owner = this.#owners.get(slot);
    if (owner !== undefined && owner.epoch < epoch) this.#close(slot, `there is an owner of epoch ${epoch}`);
  }

  #take(slot: number, epoch: number): void {
    const { engine, log, replicas } = this.parts;
    const { lastEpoch, damage, incomplete } = engine.slot(slot);
    this.#owners.delete(slot);
    if (damage !== undefined) {
      return log("error", "a slot is not served: its copy is damaged", { slot, ...damage });
    }
    if (incomplete) return log("error", "a slot is not served: its copy is only partly here", { slot });
    if (lastEpoch > epoch) {
      const message =
        "a slot is not served: its log is of a later epoch than the ring; was the coordinator restored " +
        "from an old copy?";
      return log("error", message, { slot, logEpoch: lastEpoch, ringEpoch: epoch });
    }
    // A later owner may have been heard of already; its ring will come.
    if (replicas.accept(slot, epoch)) this.#owners.set(slot, new SlotOwner(this.parts, slot, epoch));
  }

  #close(slot: number, why: string): void {
    this.#owners.get(slot)?.close(why);
    this.parts.replicator.leave(slot);
  }

  #refuse(slot: number): never {
    const { damage } = this.parts.engine.slot(slot);
    const fields = { slot, ringVersion: this.#ringVersion };
    if (damage === undefined) {
      throw new KvError("wrong-owner", `slot ${slot} is not owned by this node`, fields);
    }
    const { file, offset, reason } = damage;
    throw new KvError(
      "damaged",
      `the copy of slot ${slot} is damaged: ${file} at byte ${offset}: ${reason}`,
      {
        slot,
      },
    );
  }

  #closeAll(why: string): void {
    for (const slot of this.#owners.keys()) this.#close(slot, why);
  }
}
