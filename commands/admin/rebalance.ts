import { countOf } from "../../core/client/insight/names.ts";
import { Picture } from "../../core/client/insight/picture.ts";
import { planMoves } from "../../core/client/insight/plan.ts";
import { KvError } from "../../core/platform/errors.ts";
import { rebalanced } from "../../core/ring/assignment.ts";
import { placementOf } from "../../core/ring/followers.ts";
import { type Ring, sameRef } from "../../core/ring/ring.ts";
import type { Context } from "../framework/command.ts";
import { ExitCode } from "../framework/exit_code.ts";
import { jsonLine } from "../framework/io.ts";
import { planText } from "../print/plan.ts";
import { confirmed } from "./confirm.ts";
import { untilDone } from "./progress.ts";

/** Evens the shares out, or lets the rule hold again, and waits until all has moved. */
export async function rebalance(context: Context): Promise<number> {
  const { io, flags, connect } = context;
  const client = await connect();
  const undo = flags.boolean("undo");
  const picture = new Picture(await client.ring(), await client.status());
  const { what, after } = rebalancedRing(picture.ring, undo);
  if (!await confirmed(context, planText(after, what, planMoves(picture, after)))) return ExitCode.notFound;
  const decided = await client.admin.rebalance(undo);
  const wait = !flags.boolean("no-wait");
  if (wait) await untilDone(client, (ring) => leftToMove(newer(ring, decided)), (line) => io.err(line));
  const state = wait ? "rebalanced" : "rebalancing";
  io.out(flags.required("output") === "json" ? jsonLine({ state }) : `${state}\n`);
  return ExitCode.done;
}

/** The ring as it would be. */
export function rebalancedRing(ring: Ring, undo: boolean): { what: string; after: Ring } {
  const after = rebalanced(ring, undo);
  if (typeof after === "string") throw new KvError("refused", `nothing can be evened out: ${after}`);
  return { what: undo ? "each slot with the nearest label" : "even shares", after };
}

/** The client may not have heard yet. */
function newer(a: Ring, b: Ring): Ring {
  return a.version < b.version ? b : a;
}

function leftToMove(ring: Ring): string | undefined {
  const { wanted } = placementOf(ring);
  const left = ring.slots.filter(({ owner }, slot) =>
    owner !== undefined && !sameRef(owner, wanted[slot]?.ref)
  );
  return left.length === 0 ? undefined : `${countOf(left.length, "slot")} to hand over`;
}
