import type { Log } from "../platform/ports.ts";
import { Listeners } from "./listeners.ts";
import type { Damage } from "./slot.ts";
import type { SlotState } from "./slot_state.ts";

/** Marks slots as damaged, and tells of each once. */
export class DamageReports {
  readonly listeners = new Listeners<[slot: number, damage: Damage]>();

  constructor(readonly log: Log) {}

  /** The listeners are told in a turn of their own: what is being read or applied now is done before. */
  readonly report = (slot: SlotState, damage: Damage): void => {
    if (slot.damage !== undefined) return;
    slot.damage = damage;
    this.log("error", `slot ${slot.slot} is damaged: ${damage.reason}`, { ...damage });
    queueMicrotask(() => this.listeners.tell(slot.slot, damage));
  };
}
