import {
  type InspectReply,
  ProposalKind,
  type ProposeRequest,
  type ReplicateBatch,
  type ReplicateReply,
  type SuspectRequest,
} from "../../../proto/gen/kv/v1/cluster.ts";
import type { Sent } from "../world/network.ts";
import { grouped, type Names, ranges } from "./names.ts";

/** What is worth telling of a message between servers; undefined: nothing. */
export function messageLines({ from, to, path, reply, message }: Sent, names: Names): string[] {
  const method = path.slice(path.lastIndexOf("/") + 1);
  const about = `${from} -> ${to}: `;
  const lines = method === "Replicate"
    ? reply ? replyLines(message as ReplicateReply) : batchLines(message as ReplicateBatch, names)
    : method === "Propose" && !reply
    ? proposals(message as ProposeRequest, names)
    : method === "Suspect" && !reply
    ? [`suspects ${names.of((message as SuspectRequest).suspect)}`]
    : method === "Inspect" && reply
    ? [inspected(message as InspectReply)]
    : method === "Leave" && !reply
    ? ["wants to leave"]
    : [];
  return lines.map((line) => about + line);
}

function proposals({ proposals }: ProposeRequest, names: Names): string[] {
  const texts = proposals.map(({ slot, epoch, kind, node }): [number, string] => {
    const verb = kind === ProposalKind.ADD ? "add" : kind === ProposalKind.REMOVE ? "remove" : "hand over to";
    return [slot, `${verb} ${names.of(node)}, epoch ${epoch}`];
  });
  return grouped(texts).map(([text, slots]) => `asks to ${text}, slots ${slots}`);
}

function batchLines({ from, to, queries, begins }: ReplicateBatch, names: Names): string[] {
  const lines: string[] = [];
  if (from !== undefined) lines.push(`begins to replicate, from ${names.of(from)} to ${names.of(to)}`);
  for (const [text, slots] of grouped(queries.map(({ slot, epoch }) => [slot, `epoch ${epoch}`] as const))) {
    lines.push(`where do the logs end? ${text}, slots ${slots}`);
  }
  const starts = begins.map(({ slot, epoch, prevEpoch, prevLsn, snapshot }) =>
    [
      slot,
      `epoch ${epoch}, ${snapshot ? "a snapshot" : `the log behind lsn ${prevLsn} of epoch ${prevEpoch}`}`,
    ] as const
  );
  for (const [text, slots] of grouped(starts)) lines.push(`now comes ${text}, slots ${slots}`);
  return lines;
}

function replyLines({ heartbeat, positions, refusals }: ReplicateReply): string[] {
  const lines: string[] = [];
  const ends = positions.map(({ slot, epoch, committedLsn, damaged, incomplete, runEpochs, runLsns }) => {
    const runs = runEpochs.map((run, i) => `${runLsns[i]} of epoch ${run}`).join(", ");
    const state = `${damaged ? ", damaged" : ""}${incomplete ? ", incomplete" : ""}`;
    return [
      slot,
      `epoch ${epoch}, committed ${committedLsn}, log through ${runs || "nothing"}${state}`,
    ] as const;
  });
  for (const [text, slots] of grouped(ends)) lines.push(`its logs end: ${text}, slots ${slots}`);
  const refused =
    heartbeat?.refusedSlots.map((slot, i) => [slot, `${heartbeat.refusedEpochs[i]}`] as const) ?? [];
  for (const [epoch, slots] of grouped(refused)) {
    lines.push(`promises nothing, knows epoch ${epoch}, slots ${slots}`);
  }
  const released = heartbeat?.releasedSlots ?? [];
  if (released.length > 0) lines.push(`serves no more, slots ${ranges(released)}`);
  for (const { slot, epoch, reason } of refusals) {
    lines.push(`REFUSES slot ${slot}, knows epoch ${epoch}: ${reason}`);
  }
  return lines;
}

function inspected({ stuck, unusable, notServed }: InspectReply): string {
  const parts = [
    stuck ? "stuck" : "well",
    unusable.length > 0 ? `no good copy of slots ${ranges(unusable)}` : "",
    notServed.length > 0 ? `does not serve slots ${ranges(notServed)}` : "",
  ];
  return `inspected: ${parts.filter((part) => part !== "").join(", ")}`;
}
