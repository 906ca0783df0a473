/**
 * Who may be killed, stopped or cut off at which step of a transfer: every pair, in the simulation. The cluster is under
 * load; the one that is struck comes back soon, or when its session has ended and others have taken its place. Then every
 * node must be in its place, the copies equal, and every answer that a client ever got explained: nothing is lost,
 * nothing is stale.
 */

import { assertEquals } from "@std/assert";
import { playAll, RETURNS_MS, tableText } from "../sim/transfers/table.ts";
import type { Blow, Kind } from "../sim/transfers/transfer.ts";

/** The tables of one blow: each in a file of its own, which run side by side. */
export function testTransfersStruck(blow: Blow): void {
  for (const kind of ["join", "leave", "rebalance"] satisfies Kind[]) {
    for (const backAfterMs of RETURNS_MS) {
      Deno.test(`transfer: ${kind}, each participant ${blow} at each step, back after ${backAfterMs} ms`, async () => {
        const cells = await playAll(kind, blow, backAfterMs);
        console.log(`longest operation of a client in ms of virtual time\n${tableText(kind, cells)}`);
        const failed = cells.flatMap(({ step, participant, outcome }) =>
          "error" in outcome ? [`${step.name}, ${participant}: ${outcome.error}`] : []
        );
        assertEquals(failed, []);
      });
    }
  }
}
