import { memberNamed } from "../../core/client/insight/find.ts";
import { countOf, nameOf, slotsName } from "../../core/client/insight/names.ts";
import { Picture } from "../../core/client/insight/picture.ts";
import { slotsNamed } from "../../core/client/insight/slots_named.ts";
import { KvError } from "../../core/platform/errors.ts";
import { sameRef } from "../../core/ring/ring.ts";
import type { CopyState } from "../../proto/gen/kv/v1/admin.ts";
import { type Context, UsageError } from "../framework/command.ts";
import { ExitCode } from "../framework/exit_code.ts";
import { confirmed } from "./confirm.ts";
import { forceAndWait, printReports, who } from "./forcing.ts";

/** Makes a node the owner of slots of which no complete copy is alive. */
export async function forceOwner(context: Context): Promise<number> {
  const { args: [what, name], flags, connect } = context;
  if (!flags.boolean("accept-data-loss")) {
    throw new UsageError(
      "acknowledged writes that the node does not have are lost for good: " +
        "say --accept-data-loss, or start a member of the in-sync set again (kv status names them)",
    );
  }
  const client = await connect();
  const picture = new Picture(await client.ring(), await client.status());
  const to = memberNamed(picture.ring, name!);
  const slots = slotsMeant(picture, what!);
  const copies = await client.admin.copies(to.ref, slots);
  if (!await confirmed(context, explanation(picture, to.address, copies))) return ExitCode.notFound;
  const forcing = {
    ...{ to, slots, ownerIsDead: flags.boolean("owner-is-dead"), acceptEmpty: flags.boolean("accept-empty") },
  };
  const reports = await forceAndWait(client, picture.ring, forcing, who(context));
  printReports(context, forcing, reports);
  return ExitCode.done;
}

/** `label:68`: the slots of the node with this label that nobody serves; else slots by their numbers. */
function slotsMeant(picture: Picture, text: string): number[] {
  const { ring } = picture;
  const label = /^label:(\d+)$/.exec(text)?.[1];
  if (label === undefined) return slotsNamed(text, ring.settings.msn);
  const node = ring.nodes.find((each) => each.label === Number(label));
  if (node === undefined) {
    const labels = ring.nodes.map((each) => each.label).join(", ") || "none";
    throw new KvError("invalid", `no node has the label ${label}: there are ${labels}`);
  }
  const slots = [...ring.slots.keys()].filter((slot) =>
    sameRef(ring.slots[slot]!.owner, node.ref) && picture.served(slot) === undefined
  );
  if (slots.length === 0) {
    throw new KvError(
      "refused",
      `every slot of ${nameOf(ring, node.ref)} is served: there is nothing to force`,
    );
  }
  return slots;
}

function explanation(picture: Picture, address: string, copies: readonly CopyState[]): string {
  const { ring } = picture;
  const slots = copies.map(({ slot }) => slot);
  const members = new Set(slots.flatMap((slot) => ring.slots[slot]!.isr.map((ref) => nameOf(ring, ref))));
  return [
    `${slotsName(slots)}: to be given to ${address} by force, with what it has:`,
    ...copies.map((copy) => `  slot ${copy.slot}: ${copyText(copy)}`),
    `Lost for good is what was acknowledged after that, and is only on: ${
      [...members].join(", ") || "nobody"
    }.`,
    "Clients may have read it, and a write that is tried again may take effect twice. If one of these comes back, what",
    "it has of the slots is written to the folder aside/ of its data folder, and replaced.",
  ].join("\n");
}

function copyText({ keys, bytes, lastEpoch, lastLsn, unusable }: CopyState): string {
  if (unusable !== "") return `what can be read of a copy that is of no use: ${unusable}`;
  if (lastLsn === 0) return "nothing at all: it starts empty (needs --accept-empty)";
  return `${countOf(keys, "key")}, ${bytes} bytes; its log ends at ${lastLsn} of epoch ${lastEpoch}`;
}
