import type { LetGoReply, LetGoRequest, OldCopy } from "../../proto/gen/kv/v1/cluster.ts";
import { KvError } from "../platform/errors.ts";
import type { Log } from "../platform/ports.ts";
import { type NodeRef, sameRef } from "../ring/ring.ts";
import type { Engine } from "../storage/engine.ts";
import { forkOf, ownLog } from "./fork.ts";
import type { SlotOwner } from "./slot_owner.ts";

export interface LettingGoParts {
  readonly self: NodeRef;
  readonly engine: Engine;
  readonly log: Log;
  readonly owner: (slot: number) => SlotOwner | undefined;
}

/** The owner's answer to a node that would delete its copies: of which slots it may. */
export function letGo({ self, engine, log, owner }: LettingGoParts, request: LetGoRequest): LetGoReply {
  const { from, to, copies } = request;
  if (from === undefined || !sameRef(to, self)) {
    throw new KvError("refused", `meant for ${to?.id} ${to?.incarnation}, not for this process`);
  }
  const slots: number[] = [];
  for (const copy of copies) {
    const slot = copy.position?.slot ?? -1;
    const reason = whyKept(owner(slot), engine, from, copy);
    if (reason === undefined) slots.push(slot);
    else log("debug", "an old copy is to be kept", { slot, node: from.id, reason });
  }
  return { slots };
}

/**
 * Why the copy has to stay where it is; undefined: it may go. Whatever ring may be written next, nobody is in sync in it
 * but those that count here, and whoever is to follow later is asked first what it has. Until all that are to follow are
 * in sync, the copy may be the only one but the owner's. One with records that the slot's history lacks, or of which
 * that cannot be told, is kept for people; what is committed there is in the history.
 */
export function whyKept(
  owner: SlotOwner | undefined,
  engine: Engine,
  { id }: NodeRef,
  { position, isrSeq }: OldCopy,
): string | undefined {
  const lastLsn = position?.runLsns.at(-1);
  if (position === undefined || lastLsn === undefined) return "it is not said what it has";
  if (owner?.epoch !== position.epoch || !owner.canAnswer) return "the slot is not served here in that epoch";
  const { inSync } = owner;
  if (inSync.isrSeq !== isrSeq) return "the ring is another one here";
  if (inSync.followers.some(({ ref }) => ref.id === id)) return "it is in sync, or is to be";
  if (position.damaged) return "it is damaged: nobody knows what it had";
  if (lastLsn === 0) return undefined;
  if (inSync.followers.some(({ inRing }) => !inRing)) return "others are to have it first";
  if (position.runEpochs[0]! < owner.lineage) return "it is of an earlier lineage";
  const ours = ownLog(owner, engine);
  if (lastLsn > ours.committedLsn || forkOf(ours, position) !== lastLsn) {
    return "its last records are not known to be in the slot's history";
  }
  return undefined;
}
