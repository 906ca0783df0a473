import { KvError } from "../platform/errors.ts";
import type { Log } from "../platform/ports.ts";
import type { Replicas } from "../replication/replicas.ts";
import type { Replicator } from "../replication/replicator.ts";
import { type OwnerParts, SlotOwner } from "../replication/slot_owner.ts";
import { slotOf } from "../ring/placement.ts";
import { type Ring, sameRef, type SlotEntry } from "../ring/ring.ts";
import { Salvages } from "./salvages.ts";

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
  readonly salvages: Salvages;
  readonly #owners = new Map<number, SlotOwner>();
  #ring: Ring | undefined;

  constructor(private readonly parts: SlotTableParts) {
    const { engine, clock, log } = parts;
    this.salvages = new Salvages({ engine, clock, log, ended: (slot) => this.#salvaged(slot) });
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
    return this.#ring?.version ?? 0;
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
    if (ring.version <= this.ringVersion) return;
    this.#ring = ring;
    for (const [slot, entry] of ring.slots.entries()) {
      const present = this.#owners.get(slot);
      if (!sameRef(entry.owner, this.parts.self)) {
        present?.close("the slot has another owner now");
        this.#owners.delete(slot);
      } else if (present?.epoch !== entry.epoch) {
        present?.close("the slot has a newer epoch");
        this.#take(slot, entry);
      }
    }
    this.parts.replicator.adopt(ring, this.#owners);
  }

  /** Somebody else owns the slot in this epoch, though the ring that says so has not come yet. */
  deposed(slot: number, epoch: number): void {
    const owner = this.#owners.get(slot);
    if (owner !== undefined && owner.epoch < epoch) this.#close(slot, `there is an owner of epoch ${epoch}`);
  }

  #take(slot: number, { epoch, lineage = 0 }: SlotEntry): void {
    const { engine, log, replicas } = this.parts;
    const { lastEpoch, committedEpoch, damage, incomplete } = engine.slot(slot);
    this.#owners.delete(slot);
    // Given by force: whatever is here becomes the state with which the lineage begins.
    if (committedEpoch < lineage) {
      if (replicas.accept(slot, epoch)) void this.salvages.begin(slot, lineage);
      return;
    }
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
    if (replicas.accept(slot, epoch)) this.#owners.set(slot, new SlotOwner(this.parts, slot, epoch, lineage));
  }

  /** Takes the slot, if it is still ours. */
  #salvaged(slot: number): void {
    const entry = this.#ring?.slots[slot];
    if (entry === undefined || !sameRef(entry.owner, this.parts.self) || this.#owners.has(slot)) return;
    this.#take(slot, entry);
    this.parts.replicator.adopt(this.#ring!, this.#owners);
  }

  #close(slot: number, why: string): void {
    this.#owners.get(slot)?.close(why);
    this.parts.replicator.leave(slot);
  }

  #refuse(slot: number): never {
    const { damage } = this.parts.engine.slot(slot);
    const fields = { slot, ringVersion: this.ringVersion };
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
