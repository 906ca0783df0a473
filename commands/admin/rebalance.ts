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
import { planJson, planText } from "../print/plan.ts";
import { untilDone } from "./progress.ts";

/** Shows what moves when the shares are evened out, or the rule holds again; with --yes it is carried out. */
export async function rebalance({ io, flags, connect }: Context): Promise<number> {
  const client = await connect();
  const undo = flags.boolean("undo");
  const json = flags.required("output") === "json";
  const picture = new Picture(await client.ring(), await client.status());
  const { what, after } = rebalancedRing(picture.ring, undo);
  const plan = planMoves(picture, after);
  io.out(json ? jsonLine(planJson(after, what, plan)) : planText(after, what, plan));
  if (!flags.boolean("yes")) {
    io.err("nothing was changed: --yes carries it out");
    return ExitCode.done;
  }
  const decided = await client.admin.rebalance(undo);
  const wait = !flags.boolean("no-wait");
  if (wait) await untilDone(client, (ring) => leftToMove(newer(ring, decided)), (line) => io.err(line));
  const state = wait ? "rebalanced" : "rebalancing";
  io.out(json ? jsonLine({ state }) : `${state}\n`);
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
