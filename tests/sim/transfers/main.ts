/** `deno task sim:transfers`: strikes every participant at every step of every kind of transfer, and prints the tables. */

import { FIRST_STEPS } from "./steps.ts";
import { playAll, RETURNS_MS, tableText } from "./table.ts";
import type { Kind } from "./transfer.ts";

Error.stackTraceLimit = 0;
let failed = false;
for (const kind of Object.keys(FIRST_STEPS) as Kind[]) {
  for (const backAfterMs of RETURNS_MS) {
    const cells = await playAll(kind, backAfterMs);
    console.log(
      `back after ${backAfterMs} ms; the longest operation of a client in ms\n${tableText(kind, cells)}\n`,
    );
    for (const { step, participant, outcome } of cells) {
      if (!("error" in outcome)) continue;
      failed = true;
      console.log(`${kind}, ${step.name}, ${participant}: ${outcome.error}`);
    }
  }
}
Deno.exit(failed ? 1 : 0);
