/** The steps of a transfer of one slot, in their order, and how each is seen. */

import { ProposalKind, type ProposeRequest, type ReplicateBatch } from "../../../proto/gen/kv/v1/cluster.ts";
import type { NodeRef, SlotEntry } from "../../../core/ring/ring.ts";
import type { Sent } from "../world/network.ts";
import type { Transfer } from "./transfer.ts";

export interface Step {
  readonly name: string;
  readonly reached: (transfer: Transfer) => boolean;
}

/** What was sent about the slot that moves, from its owner to the one that gets it, or to the master. */
export class Sendings {
  readonly #seen = new Set<string>();
  #inSnapshot = false;

  constructor(readonly slot: number, readonly source: string, readonly target: string) {}

  has(what: "asked to rebalance" | "follow" | "snapshot" | "add" | "hand over"): boolean {
    return this.#seen.has(what);
  }

  note({ from, to, path, reply, message }: Sent, targetId: string | undefined): void {
    if (reply) return;
    if (path.endsWith("/Rebalance")) this.#seen.add("asked to rebalance");
    if (from !== this.source) return;
    if (path.endsWith("/Replicate") && to === this.target) this.#noteBatch(message as ReplicateBatch);
    if (path.endsWith("/Propose")) this.#noteProposals(message as ProposeRequest, targetId);
  }

  #noteBatch({ queries, begins, records }: ReplicateBatch): void {
    if (queries.some(({ slot }) => slot === this.slot)) this.#seen.add("follow");
    // The second part: the first has arrived, or is about to.
    if (this.#inSnapshot && records.length > 0) this.#seen.add("snapshot");
    if (begins.length > 0) {
      this.#inSnapshot = begins.some(({ slot, snapshot }) => snapshot && slot === this.slot);
    }
  }

  #noteProposals({ proposals }: ProposeRequest, targetId: string | undefined): void {
    for (const { slot, kind, node } of proposals) {
      if (slot !== this.slot || node?.id !== targetId) continue;
      if (kind === ProposalKind.ADD) this.#seen.add("add");
      if (kind === ProposalKind.HAND_OVER) this.#seen.add("hand over");
    }
  }
}

/** How each kind of transfer begins. */
export const FIRST_STEPS = {
  join: [
    { name: "registered", reached: ({ isRegistered }) => isRegistered("target") },
    {
      name: "label taken",
      reached: ({ ring, targetId }) => ring.nodes.some(({ ref }) => ref.id === targetId),
    },
  ],
  leave: [
    { name: "registration taken back", reached: ({ isRegistered }) => !isRegistered("source") },
    {
      name: "let go by the master",
      reached: ({ ring, sourceId }) => ring.nodes.some(({ ref, leaving }) => ref.id === sourceId && leaving),
    },
  ],
  rebalance: [
    { name: "asked for", reached: ({ sendings }) => sendings.has("asked to rebalance") },
    { name: "assigned", reached: ({ ring }) => ring.assigned.length > 0 },
  ],
} satisfies Record<string, readonly Step[]>;

/** How all of them go on. */
export const FURTHER_STEPS: readonly Step[] = [
  { name: "following", reached: ({ sendings }) => sendings.has("follow") },
  { name: "snapshot running", reached: ({ sendings }) => sendings.has("snapshot") },
  { name: "caught up", reached: hasAll },
  { name: "proposed", reached: ({ sendings }) => sendings.has("add") },
  { name: "in sync", reached: ({ entry, targetId }) => isIn(entry, targetId) },
  { name: "hand-over asked", reached: ({ sendings }) => sendings.has("hand over") },
  { name: "ring written", reached: ({ entry, targetId }) => entry.owner?.id === targetId },
  {
    name: "new owner serving",
    reached: ({ target, slot }) => target.program?.replica(slot)?.owner?.canAnswer ?? false,
  },
  {
    name: "predecessor removed",
    reached: ({ entry, sourceId, targetId }) => entry.owner?.id === targetId && !isIn(entry, sourceId),
  },
];

function hasAll({ source, target, slot }: Transfer): boolean {
  const from = source.program?.replica(slot)?.log;
  const to = target.program?.replica(slot)?.log;
  return from !== undefined && to !== undefined && !to.incomplete && to.durableLsn >= from.lastLsn;
}

function isIn({ isr }: SlotEntry, id: NodeRef["id"] | undefined): boolean {
  return isr.some((ref) => ref.id === id);
}
