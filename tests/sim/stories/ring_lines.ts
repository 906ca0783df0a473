import type { Ring, SlotEntry } from "../../../core/ring/ring.ts";
import { sameRef } from "../../../core/ring/ring.ts";
import { grouped, type Names } from "./names.ts";

/** What a write of the ring changed, for people. */
export function ringLines(before: Ring | undefined, after: Ring, writer: string, names: Names): string[] {
  const lines = [`ring ${after.version} by ${writer}`];
  const seats = (ring: Ring | undefined) =>
    (ring?.nodes ?? []).map((node) =>
      `${names.of(node.ref)} at ${node.label}${node.leaving ? ", leaving" : ""}`
    );
  const standbys = (ring: Ring | undefined) => (ring?.standbys ?? []).map(({ ref }) => names.of(ref));
  lines.push(...listChanges("seats", seats(before), seats(after)));
  lines.push(...listChanges("standbys", standbys(before), standbys(after)));
  const changes = after.slots.flatMap((entry, slot): [number, string][] => {
    const text = entryChange(before?.slots[slot], entry, names);
    return text === undefined ? [] : [[slot, text]];
  });
  for (const [text, slots] of grouped(changes)) lines.push(`  slots ${slots}: ${text}`);
  return lines;
}

function listChanges(what: string, before: readonly string[], after: readonly string[]): string[] {
  return before.join() === after.join() ? [] : [`  ${what}: ${after.join("; ") || "none"}`];
}

function entryChange(before: SlotEntry | undefined, after: SlotEntry, names: Names): string | undefined {
  if (before !== undefined && before.epoch === after.epoch && before.isrSeq === after.isrSeq) {
    return undefined;
  }
  const owner = sameRef(before?.owner, after.owner) ? "" : `owner ${names.of(after.owner)}, `;
  const epoch = before?.epoch === after.epoch ? "" : `epoch ${after.epoch}, `;
  const lineage = before?.lineage === after.lineage ? "" : "by force, ";
  return `${owner}${epoch}${lineage}in sync: ${names.all(after.isr)}`;
}
