/** New processes: a data node gets a seat, a standby a place in the list. No slot changes hands by that. */

import { tooLarge } from "../../ring/document_size.ts";
import { isBlank } from "../../ring/history.ts";
import { nextLabel } from "../../ring/labels.ts";
import { withNode } from "../../ring/members.ts";
import type { NodeRef, RingStandby } from "../../ring/ring.ts";
import type { Registered } from "../registration.ts";
import { answerOf, type Answers, newestById, type RingChange, type View } from "./view.ts";

export interface Refusal {
  readonly candidate: Registered;
  readonly reason: string;
}

/** Data nodes without a seat and standbys that are not listed; they must answer before they get it. */
export function candidates({ ring, data, standbys }: View): { data: Registered[]; standbys: Registered[] } {
  const seated = new Set(ring.nodes.map(({ ref }) => ref.id));
  const listed = new Set(ring.standbys.map(({ ref }) => ref.id));
  const unseated = [...newestById(data).values()].filter(({ ref, refused }) =>
    refused === undefined && !seated.has(ref.id)
  );
  const unlisted = [...newestById(standbys).values()].filter(({ ref, refused }) =>
    refused === undefined && !seated.has(ref.id) && !listed.has(ref.id) &&
    !unseated.some((node) => node.ref.id === ref.id)
  );
  return { data: unseated, standbys: unlisted };
}

/** The first candidate that has answered: labels are given one after the other. */
export function join(view: View, answers: Answers): RingChange | Refusal | undefined {
  const foreign = stranger(view, candidates(view).data, answers);
  if (foreign !== undefined) return foreign;
  const candidate = candidates(view).data.find(({ ref }) => isWell(answers, ref));
  if (candidate === undefined) return undefined;
  const { ring } = view;
  const label = nextLabel(ring.nodes.map((node) => node.label), ring.settings.msn);
  if (label === undefined) {
    const reason =
      `all ${ring.settings.msn} seats of the ring are taken; a ring with more seats needs a new ` +
      "cluster with a larger msn";
    return { candidate, reason };
  }
  const { ref, address } = candidate;
  const joined = withNode(ring, { ref, address, label, leaving: false });
  const reason = tooLarge(joined);
  return reason === undefined ? joined : { candidate, reason };
}

/** Lists all new standbys that have answered, as many as there is room for. */
export function listStandbys(view: View, answers: Answers): RingChange | Refusal | undefined {
  const foreign = stranger(view, candidates(view).standbys, answers);
  if (foreign !== undefined) return foreign;
  let listed = view.ring;
  for (const candidate of candidates(view).standbys.filter(({ ref }) => isWell(answers, ref))) {
    const { ref, address } = candidate;
    const added: RingStandby = { ref, address, leaving: false };
    const standbys = [...listed.standbys, added].toSorted((a, b) => a.ref.id < b.ref.id ? -1 : 1);
    const reason = tooLarge({ ...listed, standbys });
    if (reason !== undefined) return listed === view.ring ? { candidate, reason } : listed;
    listed = { ...listed, standbys };
  }
  return listed === view.ring ? undefined : listed;
}

/** One that was replaced because it is stuck must not come back in by another door. */
function isWell(answers: Answers, ref: NodeRef): boolean {
  return answerOf(answers, ref)?.stuck === false;
}

/**
 * One that has answered with a ring of another cluster: its folder is from there. Against a blank ring it is the one that
 * knows better; nothing is written then, see `Leader`.
 */
function stranger({ ring }: View, asking: readonly Registered[], answers: Answers): Refusal | undefined {
  if (isBlank(ring)) return undefined;
  const clusterOf = ({ ref }: Registered) => answerOf(answers, ref)?.ring?.clusterId ?? ring.clusterId;
  const candidate = asking.find((each) => clusterOf(each) !== ring.clusterId);
  if (candidate === undefined) return undefined;
  const reason =
    `its folder belongs to cluster ${clusterOf(candidate)}, this is cluster ${ring.clusterId}; ` +
    "name the folder of a node of this cluster, or an empty one";
  return { candidate, reason };
}
