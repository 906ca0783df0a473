/** `deno task sim:transfers`: strikes every participant at every step of every kind of transfer, and prints the tables. */

import { FIRST_STEPS } from "./steps.ts";
import { BLOWS, playAll, RETURNS_MS, tableText } from "./table.ts";
import type { Kind } from "./transfer.ts";

Error.stackTraceLimit = 0;
let failed = false;
for (const kind of Object.keys(FIRST_STEPS) as Kind[]) {
  for (const blow of BLOWS) {
    for (const backAfterMs of RETURNS_MS) {
      const cells = await playAll(kind, blow, backAfterMs);
      console.log(
        `${blow}, back after ${backAfterMs} ms; the longest operation of a client in ms\n${
          tableText(kind, cells)
        }\n`,
      );
      for (const { step, participant, outcome } of cells) {
        if (!("error" in outcome)) continue;
        failed = true;
        console.log(`${kind}, ${step.name}, ${participant} ${blow}: ${outcome.error}`);
      }
    }
  }
}
Deno.exit(failed ? 1 : 0);
