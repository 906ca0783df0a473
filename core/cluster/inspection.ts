/** What a node says of its slots: to the master that inspects it, and to people. */

import type { CopyState } from "../../proto/gen/kv/v1/admin.ts";
import type { InspectReply } from "../../proto/gen/kv/v1/cluster.ts";
import type { SlotStatus } from "../../proto/gen/kv/v1/kv.ts";
import { isBlank } from "../ring/history.ts";
import { type Ring, sameRef } from "../ring/ring.ts";
import type { Engine } from "../storage/engine.ts";
import { whyUnusable } from "./salvages.ts";
import type { SlotTable } from "./slot_table.ts";

/** A disk that has not synced an append for so long is taken for stuck. */
const UNSYNCED_MS_MAX = 1000;

/** What the master wants to know before it gives the node anything. */
export function inspect(engine: Engine, slots: SlotTable, ring: Ring | undefined): InspectReply {
  const self = { id: engine.nodeId, incarnation: engine.incarnation };
  const all = [...ring?.slots.keys() ?? []];
  // A blank one is no history, see `ring/history.ts`.
  const { clusterId = "", version = 0, nonce = "" } = ring === undefined || isBlank(ring) ? {} : ring;
  return {
    stuck: engine.failure !== undefined || engine.oldestUnsyncedMs() > UNSYNCED_MS_MAX,
    unusable: all.filter((slot) => isUnusable(engine, slot)),
    ...{ clusterId, ringVersion: version, ringNonce: nonce },
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

/** What the node has of these slots, for operators. */
export function copyStates(engine: Engine, slots: SlotTable, asked: readonly number[]): CopyState[] {
  return asked.map((slot) => {
    const view = engine.slot(slot);
    const { lastEpoch, lastLsn, keys, bytes } = view;
    const serving = slots.owner(slot)?.state === "serving";
    const salvaged = slots.salvages.report(slot);
    return { slot, lastEpoch, lastLsn, keys, bytes, unusable: whyUnusable(view), serving, salvaged };
  });
}

/** The slots that the ring gives to this node, in whatever incarnation. */
export function ownSlots(engine: Engine, slots: SlotTable, ring: Ring | undefined): SlotStatus[] {
  return (ring?.slots ?? []).flatMap((entry, slot) => {
    if (entry.owner?.id !== engine.nodeId) return [];
    const { lastLsn, committedLsn, keys, bytes, damage } = engine.slot(slot);
    const owner = slots.owner(slot);
    const serving = owner?.state === "serving";
    const why = slots.salvages.isRunning(slot)
      ? "its copy is being taken as it is, by an operator's will"
      : damage?.reason ?? owner?.why ?? "the ring does not list this process yet";
    const reason = serving ? "" : why;
    const damaged = damage !== undefined;
    return [{ slot, epoch: entry.epoch, lastLsn, committedLsn, keys, bytes, serving, reason, damaged }];
  });
}
