/**
 * Who may die at which step of a transfer: every pair, in the simulation. The cluster is under load; the one that is
 * struck comes back soon, or when its session has ended and others have taken its place. Then every node must be in its
 * place, the copies equal, and every answer that a client ever got explained: nothing is lost, nothing is stale.
 */

import { assert, assertEquals } from "@std/assert";
import { sameRef } from "../../core/ring/ring.ts";
import { playAll, RETURNS_MS, tableText } from "../sim/transfers/table.ts";
import { type Kind, stepsOf, Transfer } from "../sim/transfers/transfer.ts";

const [SOON_MS, LATE_MS] = RETURNS_MS;

/** `deno task sim:transfers` has the sixth table. */
const TABLES: readonly [kind: Kind, backAfterMs: number][] = [
  ["join", SOON_MS],
  ["join", LATE_MS],
  ["leave", SOON_MS],
  ["leave", LATE_MS],
  ["rebalance", SOON_MS],
];

for (const kind of ["join", "leave", "rebalance"] as const) {
  Deno.test(`transfer: ${kind}, undisturbed: no slot is ever without a copy that it had`, async () => {
    const transfer = new Transfer(kind, 1);
    await transfer.prepare();
    const copies = 1 + transfer.ring.standbys.length;
    const fewer: string[] = [];
    let handedOver = 0;
    transfer.cluster.rings.onWrite(({ version, slots }, last) => {
      for (const [slot, { isr, owner }] of slots.entries()) {
        if (isr.length < copies) fewer.push(`slot ${slot} in ring ${version}: ${isr.length}`);
        if (!sameRef(owner, last?.slots[slot]?.owner)) handedOver++;
      }
    });
    transfer.begin();
    await transfer.reach(stepsOf(kind).at(-1)!);
    await transfer.end();
    assertEquals(fewer, []);
    assert(handedOver > 0);
  });
}

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
