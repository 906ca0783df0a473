import type { SlotStatus, StatusReply } from "../../../proto/gen/kv/v1/kv.ts";
import { type NodeRef, type Ring, sameRef } from "../../ring/ring.ts";
import type { ServerStatus } from "../api.ts";

/** A cluster as it is told: the ring, and what the servers answered at about the same time. */
export class Picture {
  /** What the listed processes answered, by node id. */
  readonly #replies = new Map<string, StatusReply>();
  /** Of slots that are served, by the one that serves them. */
  readonly #served = new Map<number, SlotStatus>();

  constructor(readonly ring: Ring, readonly servers: readonly ServerStatus[]) {
    for (const { reply } of servers) {
      if (reply?.node === undefined) continue;
      this.#replies.set(reply.node.id, reply);
      for (const slot of reply.slots) if (slot.serving) this.#served.set(slot.slot, slot);
    }
  }

  /** The masters, by what they answer; a server that says nothing and is no node is taken for one. */
  get masters(): readonly ServerStatus[] {
    return this.servers.filter(({ node, standby, reply }) =>
      node === undefined && standby !== true && (reply === undefined || reply.role === "master")
    );
  }

  /** The answer of this very process; undefined when it gave none. */
  replyOf(ref: NodeRef): StatusReply | undefined {
    const reply = this.#replies.get(ref.id);
    return sameRef(reply?.node, ref) ? reply : undefined;
  }

  isAlive(ref: NodeRef): boolean {
    return this.replyOf(ref) !== undefined;
  }

  /** The slot by the one that serves it, also when the ring is a little older or newer than that. */
  served(slot: number): SlotStatus | undefined {
    return this.#served.get(slot);
  }

  /** The slot by its owner's words, served or not. */
  told(slot: number): SlotStatus | undefined {
    const owner = this.ring.slots[slot]!.owner;
    const reply = owner && this.replyOf(owner);
    return this.#served.get(slot) ?? reply?.slots.find((each) => each.slot === slot);
  }
}
