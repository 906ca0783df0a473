import type { Member } from "../../core/client/insight/find.ts";
import { nameOf, slotsName } from "../../core/client/insight/names.ts";
import { Picture } from "../../core/client/insight/picture.ts";
import { slotsNamed } from "../../core/client/insight/slots_named.ts";
import { KvError, messageOf } from "../../core/platform/errors.ts";
import { addressOf } from "../../core/ring/followers.ts";
import { sameRef } from "../../core/ring/ring.ts";
import type { CopyState } from "../../proto/gen/kv/v1/admin.ts";
import type { Context } from "../framework/command.ts";
import { ExitCode, UnfinishedError } from "../framework/exit_code.ts";
import { confirmed } from "./confirm.ts";
import { forceAndWait, printReports, who } from "./forcing.ts";

/** Uses damaged copies of which there is no better one, without what cannot be read of them. */
export async function salvage(context: Context): Promise<number> {
  const { args: [text], connect } = context;
  const client = await connect();
  const picture = new Picture(await client.ring(), await client.status());
  const groups = groupsOf(picture, slotsNamed(text!, picture.ring.settings.msn));
  const explained: string[] = [];
  for (const [owner, slots] of groups) {
    explained.push(explanation(picture, owner, await client.admin.copies(owner.ref, slots)));
  }
  if (!await confirmed(context, explained.join("\n"))) return ExitCode.notFound;
  const done: number[] = [];
  for (const [to, slots] of groups) {
    const forcing = { to, slots, ownerIsDead: false, acceptEmpty: false };
    const reports = await forceAndWait(client, picture.ring, forcing, who(context))
      .catch((error) => Promise.reject(done.length === 0 ? error : partly(done, slots, error)));
    printReports(context, forcing, reports);
    done.push(...slots);
  }
  return ExitCode.done;
}

function partly(done: readonly number[], slots: readonly number[], error: unknown): UnfinishedError {
  return new UnfinishedError(
    `${slotsName(done)}: done. ${slotsName(slots)}: ${
      messageOf(error)
    }. See kv status, and salvage the rest again`,
  );
}

/** The slots by their owners, which must live and must not be able to serve them. */
function groupsOf(picture: Picture, slots: readonly number[]): Map<Member, number[]> {
  const { ring } = picture;
  const groups = new Map<string, [Member, number[]]>();
  for (const slot of slots) {
    const ref = ring.slots[slot]!.owner;
    if (ref === undefined) {
      throw new KvError("refused", `slot ${slot} never had an owner: there is no copy of it`);
    }
    const address = addressOf(ring, ref);
    if (address === undefined || !picture.isAlive(ref)) {
      throw new KvError(
        "refused",
        `the owner of slot ${slot}, ${nameOf(ring, ref)}, does not answer: start it on its folder first`,
      );
    }
    if (picture.told(slot)?.damaged !== true) {
      throw new KvError("refused", `the copy of slot ${slot} on ${address} is not known to be damaged`);
    }
    const group = groups.get(ref.id) ?? [{ ref, address }, []];
    group[1].push(slot);
    groups.set(ref.id, group);
  }
  return new Map(groups.values());
}

function explanation({ ring }: Picture, { address, ref }: Member, copies: readonly CopyState[]): string {
  const slots = copies.map(({ slot }) => slot);
  const others = new Set(
    slots.flatMap((slot) => ring.slots[slot]!.isr.filter((each) => !sameRef(each, ref)))
      .map((each) => nameOf(ring, each)),
  );
  return [
    `${slotsName(slots)}: ${address} is to go on with what can be read of its copies:`,
    ...copies.map(({ slot, unusable }) => `  slot ${slot}: ${unusable || "its copy is good"}`),
    "What cannot be read is lost for good. The keys that are known to be lost are told afterwards; of what stood in",
    "broken records of the log nobody knows.",
    ...(others.size === 0 ? [] : [
      `Given up are the copies on ${[...others].join(", ")}: start these instead, if that can be done.`,
    ]),
  ].join("\n");
}
