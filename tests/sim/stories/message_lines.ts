import {
  type InspectReply,
  ProposalKind,
  type ProposeRequest,
  type ReplicateBatch,
  type ReplicateReply,
  type SuspectRequest,
} from "../../../proto/gen/kv/v1/cluster.ts";
import type { Sent } from "../world/network.ts";
import { type Names, ranges } from "./names.ts";

/** A line about one slot, to be told together with others of the same text; `slot` undefined: about none. */
export type Told = readonly [text: string, slot: number | undefined];

/** What is worth telling of a message between servers. */
export function messageLines({ from, to, path, reply, message }: Sent, names: Names): Told[] {
  const method = path.slice(path.lastIndexOf("/") + 1);
  const about = `${from} -> ${to}: `;
  const lines: readonly Told[] = method === "Replicate"
    ? reply ? replyLines(message as ReplicateReply) : batchLines(message as ReplicateBatch, names)
    : method === "Propose" && !reply
    ? proposals(message as ProposeRequest, names)
    : method === "Suspect" && !reply
    ? [[`suspects ${names.of((message as SuspectRequest).suspect)}`, undefined]]
    : method === "Inspect" && reply
    ? inspected(message as InspectReply)
    : method === "Leave" && !reply
    ? [["wants to leave", undefined]]
    : [];
  return lines.map(([text, slot]) => [about + text, slot]);
}

function proposals({ proposals }: ProposeRequest, names: Names): Told[] {
  return proposals.map(({ slot, epoch, kind, node }) => {
    const verb = kind === ProposalKind.ADD ? "add" : kind === ProposalKind.REMOVE ? "remove" : "hand over to";
    return [`asks to ${verb} ${names.of(node)}, epoch ${epoch}`, slot];
  });
}

function batchLines({ from, to, queries, begins }: ReplicateBatch, names: Names): Told[] {
  const lines: Told[] = [];
  if (from !== undefined) {
    lines.push([`begins to replicate, from ${names.of(from)} to ${names.of(to)}`, undefined]);
  }
  for (const { slot, epoch } of queries) lines.push([`where do the logs end? epoch ${epoch}`, slot]);
  for (const { slot, epoch, prevEpoch, prevLsn, snapshot } of begins) {
    const what = snapshot ? "a snapshot" : `the log behind lsn ${prevLsn} of epoch ${prevEpoch}`;
    lines.push([`now comes ${what}, in epoch ${epoch}`, slot]);
  }
  return lines;
}

function replyLines({ heartbeat, positions, refusals }: ReplicateReply): Told[] {
  const lines: Told[] = [];
  for (const { slot, epoch, committedLsn, damaged, incomplete, runEpochs, runLsns } of positions) {
    const runs = runEpochs.map((run, i) => `${runLsns[i]} of epoch ${run}`).join(", ");
    const state = `${damaged ? ", damaged" : ""}${incomplete ? ", incomplete" : ""}`;
    const log = `committed ${committedLsn}, log through ${runs || "nothing"}${state}`;
    lines.push([`its logs end, asked in epoch ${epoch}: ${log}`, slot]);
  }
  heartbeat?.refusedSlots.forEach((slot, i) =>
    lines.push([`promises nothing, knows epoch ${heartbeat.refusedEpochs[i]}`, slot])
  );
  for (const slot of heartbeat?.releasedSlots ?? []) lines.push(["serves no more", slot]);
  for (const { slot, epoch, reason } of refusals) {
    lines.push([`REFUSES the slot, knows epoch ${epoch}: ${reason}`, slot]);
  }
  return lines;
}

/** Nothing about a node that is well: the master asks all the time. */
function inspected({ stuck, unusable, notServed }: InspectReply): Told[] {
  const parts = [
    stuck ? "stuck" : "",
    unusable.length > 0 ? `no good copy of slots ${ranges(unusable)}` : "",
    notServed.length > 0 ? `does not serve slots ${ranges(notServed)}` : "",
  ].filter((part) => part !== "");
  return parts.length === 0 ? [] : [[`inspected: ${parts.join(", ")}`, undefined]];
}
