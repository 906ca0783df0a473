/** What would move, for people and for programs. */

import type { Plan } from "../../core/client/insight/plan.ts";
import { countOf, nameOf, slotsName } from "../../core/client/insight/names.ts";
import type { Ring } from "../../core/ring/ring.ts";
import { duration, size } from "./units.ts";

/** A line for each pair of nodes, and the sum; `after` is the ring that the plan leads to. */
export function planText(after: Ring, what: string, plan: Plan): string {
  const lines = plan.moves.map(({ from, to, handedOver, copied, keys, bytes }) => {
    const parts = [
      ...(handedOver.length === 0 ? [] : [`hands over ${slotsName(handedOver)}`]),
      ...(copied.length === 0
        ? []
        : [`copies ${countOf(copied.length, "slot")}: ${keys} keys, ${size(bytes)}`]),
    ];
    return `${nameOf(after, from)} -> ${nameOf(after, to)}: ${parts.join("; ")}\n`;
  });
  const handedOver = plan.moves.reduce((sum, move) => sum + move.handedOver.length, 0);
  const bytes = plan.moves.reduce((sum, move) => sum + move.bytes, 0);
  const unknown = plan.sizeUnknown.length === 0 ? "" : `; of unknown size: ${slotsName(plan.sizeUnknown)}`;
  const sum = plan.moves.length === 0
    ? "nothing moves"
    : `${countOf(handedOver, "slot")} change hands, ${size(bytes)} to copy, ` +
      `about ${duration(1000 * Math.ceil(plan.seconds))}${unknown}`;
  return `${lines.join("")}${what}: ${sum}\n`;
}

/** As {@link planText}, for programs. */
export function planJson(after: Ring, what: string, { moves, sizeUnknown, seconds }: Plan): unknown {
  const named = moves.map((move) => ({
    ...move,
    from: nameOf(after, move.from),
    to: nameOf(after, move.to),
  }));
  return { what, moves: named, sizeUnknown, seconds };
}
