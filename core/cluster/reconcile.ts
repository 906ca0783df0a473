/**
 * The master's decisions, without time or I/O: from the ring, the registrations and what processes answer, to what the
 * ring ought to be. First those who are back, then those who are lost, then those who go and those who come.
 */

import type { NodeRef } from "../ring/ring.ts";
import { candidates, join, listStandbys, type Refusal } from "./decide/join.ts";
import { drop } from "./decide/leave.ts";
import { promote, toAskForPromotion } from "./decide/promote.ts";
import { relist, returned } from "./decide/relist.ts";
import type { Answers, RingChange, View } from "./decide/view.ts";
import type { Registered } from "./registration.ts";

export type Decision =
  | { readonly kind: "nothing" }
  | { readonly kind: "write"; readonly what: string; readonly change: RingChange }
  | { readonly kind: "refuse"; readonly candidate: Registered; readonly reason: string };

/** A process and where it listens, if that stands in a registration; else the ring knows. */
export interface Asked {
  readonly ref: NodeRef;
  readonly address?: string;
}

/** Who must be asked for a decision; nobody, when there is nothing to decide. */
export function toAsk(view: View): Asked[] {
  const { data, standbys } = candidates(view);
  return [
    ...returned(view),
    ...data,
    ...standbys,
    ...toAskForPromotion(view).map((ref) => ({ ref })),
  ];
}

/** What to do next; to be called again after it was done. */
export function reconcile(view: View, answers: Answers): Decision {
  const steps: readonly [what: string, decide: () => RingChange | Refusal | undefined][] = [
    ["processes are back", () => relist(view, answers)],
    ["owners are replaced", () => promote(view, answers)],
    ["processes have gone", () => drop(view)],
    ["standbys are listed", () => listStandbys(view, answers)],
    ["another number of replicas", () => withReplicas(view)],
    ["a node joins", () => join(view, answers)],
  ];
  for (const [what, decide] of steps) {
    const decided = decide();
    if (decided === undefined) continue;
    return "candidate" in decided ? { kind: "refuse", ...decided } : { kind: "write", what, change: decided };
  }
  return { kind: "nothing" };
}

function withReplicas({ ring, replicas }: View): RingChange | undefined {
  return ring.replicas === replicas ? undefined : { ...ring, replicas };
}
