/** A cluster as it is told to people, made up: for the tests of what is concluded from it. */

import type { ServerStatus } from "../../core/client/api.ts";
import { UnreachableError } from "../../core/platform/errors.ts";
import { createRing } from "../../core/ring/document.ts";
import type { NodeRef, Ring, SlotEntry } from "../../core/ring/ring.ts";
import type { SlotStatus, StatusReply } from "../../proto/gen/kv/v1/kv.ts";

export const ref = (id: string): NodeRef => ({ id, incarnation: 1 });

/** Two data nodes with the labels 0 and 68, and standbys; each slot of the nearer node, all standbys in sync with it. */
export class Told {
  ring: Ring;
  readonly replies = new Map<string, StatusReply>();
  masters: ServerStatus[] = [master(":1", true), master(":2", false)];

  constructor(standbys: readonly string[] = ["s"]) {
    const empty = createRing({ msn: 137, hash: "fnv1a32", levels: 2 }, "cluster", "writer", "nonce");
    const nodes = [["a", 0], ["b", 68]] as const;
    this.ring = {
      ...empty,
      nodes: nodes.map(([id, label]) => ({ ref: ref(id), address: `${id}:1`, label, leaving: false })),
      standbys: standbys.map((id) => ({ ref: ref(id), address: `${id}:1`, leaving: false })),
      slots: empty.slots.map((_, slot) => {
        const owner = slot > 34 && slot <= 102 ? "b" : "a";
        return { owner: ref(owner), epoch: 1, isr: [owner, ...standbys].map(ref), isrSeq: 1 };
      }),
    };
    for (const { ref } of [...this.ring.nodes, ...this.ring.standbys]) this.#replies(ref);
  }

  /** Changes entries of the ring. */
  change(change: (entry: SlotEntry, slot: number) => SlotEntry): void {
    this.ring = { ...this.ring, slots: this.ring.slots.map(change) };
  }

  /** It does not answer any more. */
  kill(...ids: string[]): void {
    for (const id of ids) this.replies.delete(id);
  }

  /** What a slot's owner says of it becomes something else. */
  tell(slot: number, change: Partial<SlotStatus>): void {
    for (const reply of this.replies.values()) {
      reply.slots = reply.slots.map((each) => each.slot === slot ? { ...each, ...change } : each);
    }
  }

  get servers(): ServerStatus[] {
    const standbys = this.ring.standbys.map(({ address, ref }) => ({ address, ref, standby: true }));
    const nodes = this.ring.nodes.map((node) => ({ address: node.address, ref: node.ref, node }));
    return [
      ...this.masters,
      ...[...nodes, ...standbys].map(({ ref, ...server }): ServerStatus => {
        const reply = this.replies.get(ref.id);
        const error = new UnreachableError("connection refused");
        return { node: undefined, ...server, ...(reply === undefined ? { error } : { reply }) };
      }),
    ];
  }

  #replies(node: NodeRef): void {
    const slots = this.ring.slots.flatMap(({ owner, epoch }, slot) =>
      owner?.id === node.id ? [{ ...SLOT, slot, epoch }] : []
    );
    const isStandby = this.ring.standbys.some(({ ref }) => ref.id === node.id);
    this.replies.set(node.id, { ...REPLY, role: isStandby ? "standby" : "data", node, slots });
  }
}

const SLOT = {
  lastLsn: 9,
  committedLsn: 9,
  keys: 10,
  bytes: 1000,
  serving: true,
  reason: "",
  damaged: false,
};

/** What every server says. */
export const REPLY: StatusReply = {
  role: "data",
  address: "",
  node: undefined,
  active: true,
  ringVersion: 4,
  coordinator: "connected",
  slots: [],
  uptimeMs: 61_000,
  version: "0.1.0",
  writer: "",
  followers: [],
  minInSync: 1,
  transferBytesPerSecond: 1000,
  masters: [],
  mismatches: [],
  halted: "",
};

export function master(address: string, active: boolean | undefined): ServerStatus {
  const server = { address, node: undefined };
  if (active === undefined) return { ...server, error: new UnreachableError("connection refused") };
  return { ...server, reply: { ...REPLY, role: "master", address, active } };
}
