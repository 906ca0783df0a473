/** What a node says of itself to the master that inspects it. */

import type { InspectReply } from "../../proto/gen/kv/v1/cluster.ts";
import { type Ring, sameRef } from "../ring/ring.ts";
import type { Engine } from "../storage/engine.ts";
import type { SlotTable } from "./slot_table.ts";

/** A disk that has not synced an append for so long is taken for stuck. */
const UNSYNCED_MS_MAX = 1000;

export function inspect(engine: Engine, slots: SlotTable, ring: Ring | undefined): InspectReply {
  const self = { id: engine.nodeId, incarnation: engine.incarnation };
  const all = [...ring?.slots.keys() ?? []];
  return {
    stuck: engine.failure !== undefined || engine.oldestUnsyncedMs() > UNSYNCED_MS_MAX,
    unusable: all.filter((slot) => isUnusable(engine, slot)),
    ringVersion: ring?.version ?? 0,
    notServed: all.filter((slot) =>
      sameRef(ring!.slots[slot]!.owner, self) && slots.owner(slot) === undefined
    ),
  };
}

/** A damaged copy, or one that is only partly there. */
function isUnusable(engine: Engine, slot: number): boolean {
  const { damage, incomplete } = engine.slot(slot);
  return damage !== undefined || incomplete;
}
