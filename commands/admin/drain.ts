import type { Client } from "../../core/client/api.ts";
import { memberNamed } from "../../core/client/insight/find.ts";
import { countOf } from "../../core/client/insight/names.ts";
import { KvError } from "../../core/platform/errors.ts";
import type { NodeRef, Ring } from "../../core/ring/ring.ts";
import type { Context } from "../framework/command.ts";
import { ExitCode } from "../framework/exit_code.ts";
import { jsonLine } from "../framework/io.ts";

const LOOK_MS = 200;
/** After so long without any progress the command gives up waiting. */
const STALLED_MS = 30_000;
/** A node that is still listed and does not leave after so long has been refused by the master. */
const REFUSED_MS = 10_000;

/** What is left at the node. */
interface Left {
  readonly owned: number;
  readonly copied: number;
  readonly listed: boolean;
  readonly leaving: boolean;
}

/** Lets a node leave and waits until it has. */
export async function drain({ io, args: [name], flags, connect }: Context): Promise<number> {
  const client = await connect();
  const { ref, address } = memberNamed(await client.ring(), name!);
  await client.admin.drain(ref);
  const wait = !flags.boolean("no-wait");
  if (wait) await gone(client, ref, address, (line) => io.err(line));
  const state = wait ? "drained" : "draining";
  io.out(flags.required("output") === "json" ? jsonLine({ address, state }) : `${state} ${address}\n`);
  return ExitCode.done;
}

/** Resolves when the node is off the ring and owns and copies nothing that counts. */
async function gone(
  client: Client,
  ref: NodeRef,
  address: string,
  tell: (line: string) => void,
): Promise<void> {
  let before = "";
  let sinceMs = 0;
  for (;;) {
    const left = leftAt(await client.ring(), ref);
    if (!left.listed && left.owned + left.copied === 0) return;
    const now = `${countOf(left.owned, "slot")} to hand over, ${left.copied} copies to be replaced`;
    if (now === before) sinceMs += LOOK_MS;
    else tell(`${address}: ${now}`);
    if (now !== before) [before, sinceMs] = [now, 0];
    if (sinceMs >= REFUSED_MS && left.listed && !left.leaving) {
      throw new KvError("refused", `${address} does not leave; its log tells why`);
    }
    if (sinceMs >= STALLED_MS) {
      throw new KvError(
        "unavailable",
        `nothing has moved for ${STALLED_MS / 1000} s: ${now}; it goes on by itself`,
      );
    }
    await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
  }
}

function leftAt({ nodes, standbys, slots }: Ring, { id }: NodeRef): Left {
  const node = nodes.find((each) => each.ref.id === id);
  const owned = slots.filter(({ owner }) => owner?.id === id).length;
  const members = slots.filter(({ isr }) => isr.some((ref) => ref.id === id)).length;
  const standby = standbys.some((each) => each.ref.id === id);
  return {
    owned,
    copied: members - owned,
    listed: node !== undefined || standby,
    leaving: node?.leaving ?? false,
  };
}
