/**
 * Who may die at which step of a transfer: every pair, in the simulation. The cluster is under load; the one that is
 * struck comes back soon, or when its session has ended and others have taken its place. Then every node must be in its
 * place, the copies equal, and every answer that a client ever got explained: nothing is lost, nothing is stale.
 */

import { assertEquals } from "@std/assert";
import { playAll, RETURNS_MS, tableText } from "../sim/transfers/table.ts";
import type { Kind } from "../sim/transfers/transfer.ts";

const [SOON_MS, LATE_MS] = RETURNS_MS;

/** `deno task sim:transfers` has the sixth table. */
const TABLES: readonly [kind: Kind, backAfterMs: number][] = [
  ["join", SOON_MS],
  ["join", LATE_MS],
  ["leave", SOON_MS],
  ["leave", LATE_MS],
  ["rebalance", SOON_MS],
];

for (const [kind, backAfterMs] of TABLES) {
  Deno.test(`transfer: ${kind}, each participant struck at each step, back after ${backAfterMs} ms`, async () => {
    const cells = await playAll(kind, backAfterMs);
    console.log(`longest operation of a client in ms of virtual time\n${tableText(kind, cells)}`);
    const failed = cells.flatMap(({ step, participant, outcome }) =>
      "error" in outcome ? [`${step.name}, ${participant}: ${outcome.error}`] : []
    );
    assertEquals(failed, []);
  });
}
