/** What the master's decisions look at, and what comes out of them. All of them are pure functions. */

import { addressOf } from "../../ring/followers.ts";
import type { RingMark } from "../../ring/history.ts";
import { type NodeRef, type Ring, sameRef, type SlotEntry } from "../../ring/ring.ts";
import type { Registered } from "../registration.ts";

/** The parts of a ring that a decision changes; the writer adds version, writer and nonce. */
export type RingChange = Pick<Ring, "nodes" | "standbys" | "replicas" | "assigned" | "slots" | "forced">;

/** What a process has answered to `Inspect`. */
export interface Answer {
  readonly ref: NodeRef;
  /** It cannot write: others must take its place. */
  readonly stuck: boolean;
  /** Slots of which its copy is of no use. */
  readonly unusable: ReadonlySet<number>;
  /** The newest ring that it has taken. */
  readonly ring?: RingMark;
}

/** By node id. */
export type Answers = ReadonlyMap<string, Answer>;

/** How a process was lost: it does not answer, or answers and cannot write. */
export type Loss = "dead" | "stuck";

/** The world as the master knows it before it asks anybody. */
export interface View {
  readonly ring: Ring;
  /** Standbys per slot, from the configuration. */
  readonly replicas: number;
  /** What stands under `data` and `sb` in the coordinator. */
  readonly data: readonly Registered[];
  readonly standbys: readonly Registered[];
  /** By id: processes of the ring that are taken for lost. */
  readonly lost: ReadonlyMap<string, Loss>;
  /** What the processes of the ring answered last, a moment ago. */
  readonly known: Answers;
}

/** The process's answer; not that of another incarnation. */
export function answerOf(answers: Answers, ref: NodeRef | undefined): Answer | undefined {
  const answer = ref && answers.get(ref.id);
  return answer !== undefined && sameRef(answer.ref, ref) ? answer : undefined;
}

/** Whether it has answered that it can be given the slot. */
export function canHave(answers: Answers, ref: NodeRef, slot: number): boolean {
  const answer = answerOf(answers, ref);
  return answer !== undefined && !answer.stuck && !answer.unusable.has(slot);
}

/** Taken for lost, and has not answered otherwise in this decision. */
export function isLost({ ring, lost }: View, answers: Answers, ref: NodeRef): boolean {
  const answer = answerOf(answers, ref);
  if (answer !== undefined) return answer.stuck;
  return lost.has(ref.id) || addressOf(ring, ref) === undefined;
}

/**
 * Whether the process owns a slot, or is in sync for one of which no other copy is known to be alive and good.
 * `settled`: slots that are of no account, because they are given to others.
 */
export function isNeeded(
  view: View,
  answers: Answers,
  id: string,
  settled: ReadonlySet<number> = new Set(),
): boolean {
  const isGood = (other: NodeRef, slot: number) =>
    !isLost(view, answers, other) &&
    !(answerOf(answers, other) ?? answerOf(view.known, other))?.unusable.has(slot);
  return view.ring.slots.some(({ owner, isr }, slot) =>
    !settled.has(slot) && isIn(isr, id) &&
    (owner?.id === id || !isr.some((other) => other.id !== id && isGood(other, slot)))
  );
}

/** The newest registration of each process; a former session's node may still be there. */
export function newestById(registered: readonly Registered[]): Map<string, Registered> {
  const newest = new Map<string, Registered>();
  for (const each of registered) {
    const other = newest.get(each.ref.id);
    if (other === undefined || other.ref.incarnation < each.ref.incarnation) newest.set(each.ref.id, each);
  }
  return newest;
}

/** The slots whose entries `change` replaces, or undefined when it replaces none. */
export function changeSlots(
  slots: readonly SlotEntry[],
  change: (entry: SlotEntry, slot: number) => SlotEntry,
): readonly SlotEntry[] | undefined {
  const changed = slots.map(change);
  return changed.every((entry, slot) => entry === slots[slot]) ? undefined : changed;
}

export function isIn(refs: readonly NodeRef[], id: string): boolean {
  return refs.some((ref) => ref.id === id);
}
