import { ringToJson } from "./document.ts";
import type { NodeRef, Ring, RingNode, RingStandby } from "./ring.ts";

/** ZooKeeper takes 1 MiB in one request (`jute.maxbuffer`), and drops the connection of whoever sends more. */
export const DOCUMENT_BYTES_MAX = 1_000_000;

/** Of each number: more digits than it will ever have. */
const COUNT = 10 ** 11;
/** Members in sync beside the owner and the standbys: who is to own the slot, and two that are to give way. */
const ON_THE_MOVE = 3;

/**
 * How large the document may become with these members, at its worst: no two neighbouring slots alike, every slot just
 * on the move, and all that copy it in sync.
 */
export function documentBytesAtWorst(ring: Ring): number {
  const { nodes, standbys, replicas, settings: { msn } } = ring;
  const all = [...nodes, ...standbys].map(({ ref }): NodeRef => ({ id: ref.id, incarnation: COUNT }));
  const copies = replicas === 0 ? standbys.length : Math.min(replicas, standbys.length);
  const isr = all.slice(0, 1 + copies + ON_THE_MOVE);
  const slots = Array.from(
    { length: msn },
    (_, slot) => ({ owner: isr[0], epoch: COUNT + slot, isr, isrSeq: COUNT }),
  );
  const assigned = slots.map((_, slot) => msn - 1 - slot);
  const moving = <T extends RingNode | RingStandby>(each: T): T => (
    { ...each, ref: { ...each.ref, incarnation: COUNT }, leaving: true }
  );
  const members = { nodes: nodes.map(moving), standbys: standbys.map(moving) };
  const grown = { version: COUNT, assigned, slots, previousNonce: ring.nonce };
  return new TextEncoder().encode(ringToJson({ ...ring, ...members, ...grown })).length;
}

/** Why the ring may not have all these members; undefined when it may. */
export function tooLarge(ring: Ring): string | undefined {
  const bytes = documentBytesAtWorst(ring);
  if (bytes <= DOCUMENT_BYTES_MAX) return undefined;
  return `with one more node the ring document could grow to ${bytes} bytes, and the coordinator takes at most ` +
    `${DOCUMENT_BYTES_MAX}; fewer copies of a slot (replicas), or a new cluster with a smaller msn, make it smaller`;
}
