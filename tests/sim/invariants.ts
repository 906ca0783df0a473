import { type NodeRef, sameRef } from "../../core/ring/ring.ts";
import { Copy } from "./invariants/copy.ts";
import { checkLog } from "./invariants/logs.ts";
import { checkOwner, leaveOwnership, type LiveNode, type OwnerContext } from "./invariants/owners.ts";
import type { RingTruth } from "./invariants/ring.ts";
import { SlotTruth } from "./invariants/truth.ts";

export interface InvariantOptions {
  readonly msn: number;
  readonly minInSync: number;
  readonly violated: (what: string) => void;
  readonly count: (what: string) => void;
  /** Told when a node takes itself for an owner or no longer does, and when it begins and ends to answer. */
  readonly tell?: (name: string, slot: number, what: string) => void;
}

/*
 * The invariants, for each slot. R: its entry in the ring; e(n): the epoch that node n takes itself for the owner of; E: the
 * members that count for the owner, the effective in-sync set; cm: commit mark; dur: durable prefix; H: highest epoch known;
 * A: the records acknowledged or read; can(n): n would answer now. Checked in:
 *
 *  1  ring version + 1 per write; epoch and isrSeq never fall; another (owner, incarnation) => a higher epoch; the owner is
 *     in sync; the writer's lock exists                                                                          ring.ts
 *  2  e(n) = R.epoch => R.isr within E(n)                                                                      owners.ts
 *  3  m in R.isr, undamaged => A within dur(m)                                                          here and logs.ts
 *  4  same epoch at i in two logs => same logs up to i                                                          logs.ts
 *  5  committed prefixes, and the states that they make, agree; nobody commits what no owner has                logs.ts
 *  6  can(n) and can(m) => n = m; can(n), f in E(n) other than n => now < notBefore(f)                  here, owners.ts
 *  7  can(n) => its log at the start of its epoch within dur(m) for all m in E(n); A within log_n[1..cm(n)]   owners.ts
 *  8  one (node, incarnation) appends per epoch; H never falls; H(n) >= epochs in log_n              owners.ts, logs.ts
 *  9  at most one committed record per (client, sequence)                                                      truth.ts
 * 10  a committed record is durable on all of E; an acknowledged one had at least minInSync of R.isr   owners.ts, here
 * 11  reads and writes are linearizable per key                                                               ../check
 * 12  a copy deleted at n => n not in R.isr, and log_n within the slot's history                               logs.ts
 * 13  after the faults stop: slots with a good copy in sync are writable, and copies equal         ../convergence.ts
 *
 * And: what was durable is there after a restart (logs.ts).
 */

/**
 * Looks at a node after each event of its process: nobody else can have changed. Of its slots only those are checked in
 * depth of which something has changed.
 */
export class Invariants {
  readonly #truths: readonly SlotTruth[];
  readonly #copies: readonly Map<string, Copy>[];
  /** The nodes that were looked at, by id: the last process of each. */
  readonly #nodes = new Map<string, LiveNode>();
  /** By slot: the last node that was seen to answer. */
  readonly #answering: (LiveNode | undefined)[];
  readonly #contexts = new Map<string, readonly OwnerContext[]>();

  constructor(readonly rings: RingTruth, readonly options: InvariantOptions) {
    const slots = Array.from({ length: options.msn });
    this.#truths = slots.map(() => new SlotTruth());
    this.#copies = slots.map(() => new Map<string, Copy>());
    this.#answering = slots.map(() => undefined);
    rings.onChange = (changed) => {
      for (const slot of changed) {
        const lineage = rings.ring?.slots[slot]?.lineage ?? 0;
        if (lineage !== this.truth(slot).lineage) this.truth(slot).forced(lineage);
        this.#checkMembers(slot);
      }
    };
  }

  /** What is known of a slot. */
  truth(slot: number): SlotTruth {
    return this.#truths[slot]!;
  }

  /** To be called after each event of the node's process, and `dying` in the middle of one, when the power fails. */
  look(live: LiveNode, dying = false): void {
    if (live.node.replica(0) === undefined) return;
    const { self } = live.node;
    this.#nodes.set(self.id, live);
    const contexts = this.#contextsOf(live.name);
    for (let slot = 0; slot < this.options.msn; slot++) {
      const view = live.node.replica(slot)!;
      const copy = this.#copy(slot, self.id);
      const committedBefore = copy.incarnation === self.incarnation ? copy.committedLsn : Infinity;
      const changed = !copy.isAt(self.incarnation, view);
      if (!changed && view.owner === undefined && copy.ownEpoch === 0) continue;
      const context = contexts[slot]!;
      if (changed) checkLog(copy, self, view, context, dying);
      if (view.owner === undefined) leaveOwnership(copy, context);
      if (view.owner === undefined || dying) continue;
      checkOwner(copy, live, view, committedBefore, context);
      if (view.owner.canAnswer) this.#answers(slot, live);
    }
  }

  /** The process of the node has ended. */
  ended(live: LiveNode): void {
    for (const [id, known] of this.#nodes) if (known.node === live.node) this.#nodes.delete(id);
    this.#answering.forEach((known, slot) => {
      if (known?.node === live.node) this.#answering[slot] = undefined;
    });
  }

  /** The process of the node that was last seen, if it lives. */
  liveNode(id: string): LiveNode | undefined {
    return this.#nodes.get(id);
  }

  /** The disk of the node is gone: nothing is expected of it any more. */
  lost(id: string): void {
    for (let slot = 0; slot < this.options.msn; slot++) this.#copy(slot, id).unusable = true;
  }

  /** Whether the node's copy of the slot was last seen to be of no use. */
  isDamaged(slot: number, nodeId: string): boolean {
    return this.#copies[slot]!.get(nodeId)?.unusable ?? false;
  }

  /** Whether the slot has a member in sync, other than `without`, whose copy is good as far as is known. */
  hasCopy(slot: number, without?: string): boolean {
    const isr = this.rings.ring?.slots[slot]?.isr ?? [];
    return isr.some(({ id }) => id !== without && this.#copies[slot]!.get(id)?.unusable === false);
  }

  /** A client was told of this version; `written`: as the result of its own write. */
  acknowledged(slot: number, lsn: number, written: boolean): void {
    const truth = this.truth(slot);
    if (truth.isVoid(lsn)) return;
    const problem = written && truth.thin.has(lsn)
      ? "was acknowledged with fewer members in sync than minInSync"
      : lsn > truth.committed
      ? `was answered, but owners have committed through ${truth.committed} only`
      : undefined;
    if (problem !== undefined) this.options.violated(`slot ${slot}: lsn ${lsn} ${problem}`);
    if (lsn <= truth.acknowledged) return;
    truth.acknowledged = lsn;
    this.#checkMembers(slot);
  }

  /** Invariant 3 for all members of the slot: what was acknowledged is on their disks, dead or alive. */
  #checkMembers(slot: number): void {
    const truth = this.truth(slot);
    for (const { id } of this.rings.ring?.slots[slot]?.isr ?? []) {
      const copy = this.#copies[slot]!.get(id);
      if (copy === undefined || copy.unusable || copy.durableLsn >= truth.acknowledged) continue;
      this.options.violated(
        `slot ${slot}: ${id} is in sync by the ring, but durable through ${copy.durableLsn} only; ` +
          `${truth.acknowledged} was acknowledged`,
      );
    }
  }

  /** Invariant 6, first half: two nodes never answer for a slot at once. */
  #answers(slot: number, live: LiveNode): void {
    const other = this.#answering[slot];
    this.#answering[slot] = live;
    if (other === undefined || other.node === live.node) return;
    if (other.node.replica(slot)?.owner?.canAnswer) {
      this.options.violated(`both ${other.name} and ${live.name} would answer for slot ${slot}`);
    }
  }

  #copy(slot: number, nodeId: string): Copy {
    const copies = this.#copies[slot]!;
    let copy = copies.get(nodeId);
    if (copy === undefined) copies.set(nodeId, copy = new Copy(nodeId, slot));
    return copy;
  }

  #live(ref: NodeRef): LiveNode | undefined {
    const live = this.#nodes.get(ref.id);
    return live !== undefined && sameRef(live.node.self, ref) ? live : undefined;
  }

  #contextsOf(name: string): readonly OwnerContext[] {
    let contexts = this.#contexts.get(name);
    if (contexts === undefined) {
      contexts = this.#truths.map((_, slot) => this.#context(slot, name));
      this.#contexts.set(name, contexts);
    }
    return contexts;
  }

  #context(slot: number, name: string): OwnerContext {
    const { minInSync, violated, count } = this.options;
    return {
      slot,
      minInSync,
      truth: this.truth(slot),
      entry: () => this.rings.ring?.slots[slot],
      violated: (what) => violated(`slot ${slot} at ${name}: ${what}`),
      count,
      tell: (what) => this.options.tell?.(name, slot, what),
      live: (ref) => this.#live(ref),
      copyOf: (nodeId) => this.#copy(slot, nodeId),
      isrSize: (isrSeq) => this.rings.isrSize(slot, isrSeq),
    };
  }
}
