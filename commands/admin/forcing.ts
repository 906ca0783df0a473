/** What forcing an owner on slots and salvaging damaged copies have in common: the request, the wait, the report. */

import type { Client } from "../../core/client/api.ts";
import type { Member } from "../../core/client/insight/find.ts";
import { countOf, slotsName } from "../../core/client/insight/names.ts";
import { messageOf } from "../../core/platform/errors.ts";
import { jsonField } from "../../core/platform/json_bytes.ts";
import type { Ring } from "../../core/ring/ring.ts";
import type { CopyState, SalvageReport } from "../../proto/gen/kv/v1/admin.ts";
import type { Context } from "../framework/command.ts";
import { UnfinishedError } from "../framework/exit_code.ts";
import { jsonLine } from "../framework/io.ts";
import { oneLine } from "../print/bytes.ts";

const LOOK_MS = 200;
/** A slot that is not served after so long is not waited for. */
const WAIT_MS = 30_000;

export interface Forcing {
  readonly to: Member;
  readonly slots: readonly number[];
  readonly ownerIsDead: boolean;
  readonly acceptEmpty: boolean;
}

/** Who does it, for the record: `--by`, or the name of the home folder. */
export function who({ flags }: Context): string {
  return flags.text("by") ?? Deno.env.get("HOME")?.split("/").at(-1) ?? "";
}

/**
 * Has the slots given away as they stand in `ring`, and waits until they are served. Resolves with what became of them;
 * rejects with {@link UnfinishedError} when they have been given away and it cannot be seen that they are served.
 */
export async function forceAndWait(
  client: Client,
  ring: Ring,
  { to, slots, ownerIsDead, acceptEmpty }: Forcing,
  by: string,
): Promise<SalvageReport[]> {
  const forced = slots.map((slot) => {
    const { epoch, isrSeq } = ring.slots[slot]!;
    return { slot, epoch, isrSeq };
  });
  const { slots: entries } = await client.admin.forceOwner({
    ...{ slots: forced, node: to.ref, by, ownerIsDead, acceptEmpty },
  });
  const isDone = ({ slot, serving, salvaged }: CopyState) =>
    serving && salvaged?.lineage === entries[slot]!.lineage;
  let copies: CopyState[] = [];
  for (let waitedMs = 0; waitedMs < WAIT_MS; waitedMs += LOOK_MS) {
    copies = await copiesOf(client, to, slots);
    if (copies.every(isDone)) return copies.map(({ salvaged }) => salvaged!);
    await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
  }
  const left = slotsName(copies.filter((copy) => !isDone(copy)).map(({ slot }) => slot));
  throw new UnfinishedError(
    `${to.address} owns the slots, but does not serve ${left} after ${
      WAIT_MS / 1000
    } s; see kv status, and its log`,
  );
}

async function copiesOf(
  client: Client,
  { ref, address }: Member,
  slots: readonly number[],
): Promise<CopyState[]> {
  try {
    return await client.admin.copies(ref, slots);
  } catch (error) {
    throw new UnfinishedError(
      `${address} owns ${slotsName(slots)}, and whether it serves them cannot be told (see kv status): ${
        messageOf(error)
      }`,
    );
  }
}

/** Prints what became of each slot. */
export function printReports(
  { io, flags }: Context,
  { to, slots }: Pick<Forcing, "to" | "slots">,
  reports: readonly SalvageReport[],
): void {
  if (flags.required("output") === "json") return io.out(jsonLine(reportsJson(to, slots, reports)));
  for (const [i, { keysKept, keysLost, lost, lastEpoch, lastLsn, unusable }] of reports.entries()) {
    const damage = unusable === "" ? "" : `; it was damaged: ${unusable}`;
    const gone = keysLost === 0 ? "" : `, ${countOf(keysLost, "key")} lost`;
    const end = `its log ended at ${lastLsn} of epoch ${lastEpoch}`;
    io.out(`slot ${slots[i]}: ${countOf(keysKept, "key")} kept${gone}; ${end}${damage}\n`);
    for (const key of lost) io.out(`  lost: ${oneLine(key)}\n`);
    if (lost.length < keysLost) io.out(`  and ${keysLost - lost.length} more\n`);
  }
  io.out(`${slotsName(slots)}: served by ${to.address}\n`);
}

function reportsJson({ address }: Member, slots: readonly number[], reports: readonly SalvageReport[]) {
  return {
    address,
    slots: reports.map(({ keysKept, keysLost, lost, lastEpoch, lastLsn, unusable }, i) => ({
      ...{ slot: slots[i], keysKept, keysLost, lost: lost.map((key) => jsonField("key", key)) },
      ...{ lastEpoch, lastLsn, ...(unusable === "" ? {} : { unusable }) },
    })),
  };
}
