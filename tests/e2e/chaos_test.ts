/** Three minutes of faults on real processes; `deno task chaos` runs them for longer. */

import { assertEquals } from "@std/assert";
import { chaos, DEFAULTS } from "./chaos.ts";
import { networkTest } from "./harness/inside.ts";

networkTest("no promise is broken under faults", import.meta.url, async (network) => {
  assertEquals(await chaos(network, { ...DEFAULTS, seed: crypto.randomUUID().slice(0, 8) }), 0);
});
