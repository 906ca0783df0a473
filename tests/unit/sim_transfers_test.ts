import { assert, assertEquals } from "@std/assert";
import { sameRef } from "../../core/ring/ring.ts";
import { stepsOf, Transfer } from "../sim/transfers/transfer.ts";

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
