import { memberNamed } from "../../core/client/insight/find.ts";
import { countOf } from "../../core/client/insight/names.ts";
import { KvError } from "../../core/platform/errors.ts";
import type { NodeRef, Ring } from "../../core/ring/ring.ts";
import type { Context } from "../framework/command.ts";
import { ExitCode } from "../framework/exit_code.ts";
import { jsonLine } from "../framework/io.ts";
import { untilDone } from "./progress.ts";

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
  if (wait) {
    const left = (ring: Ring, sameForMs: number) => leftOf(ring, ref, address, sameForMs);
    await untilDone(client, left, (line) => io.err(line));
  }
  const state = wait ? "drained" : "draining";
  io.out(flags.required("output") === "json" ? jsonLine({ address, state }) : `${state} ${address}\n`);
  return ExitCode.done;
}

/** Undefined when the node is off the ring and owns and copies nothing that counts. */
function leftOf(ring: Ring, ref: NodeRef, address: string, sameForMs: number): string | undefined {
  const left = leftAt(ring, ref);
  if (!left.listed && left.owned + left.copied === 0) return undefined;
  if (sameForMs >= REFUSED_MS && left.listed && !left.leaving) {
    throw new KvError("refused", `${address} does not leave; its log tells why`);
  }
  return `${address}: ${countOf(left.owned, "slot")} to hand over, ${left.copied} copies to be replaced`;
}

function leftAt({ nodes, standbys, slots }: Ring, { id }: NodeRef): Left {
  const member = [...nodes, ...standbys].find(({ ref }) => ref.id === id);
  const owned = slots.filter(({ owner }) => owner?.id === id).length;
  const members = slots.filter(({ isr }) => isr.some((ref) => ref.id === id)).length;
  const copied = members - owned;
  return { owned, copied, listed: member !== undefined, leaving: member?.leaving ?? false };
}
