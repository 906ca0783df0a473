/** Three minutes of faults on real processes; `deno task chaos` runs them for longer. */

import { assertEquals } from "@std/assert";
import { COMMANDS } from "../../commands/framework/registry.ts";
import { chaos, DEFAULTS } from "./chaos.ts";
import { networkTest } from "./harness/inside.ts";

const name = "no promise is broken under faults";

// Before standbys exist a data node's death takes its keys with it, and there is nothing to check.
if (COMMANDS.has("standby")) {
  networkTest(name, import.meta.url, async (network) => {
    assertEquals(await chaos(network, { ...DEFAULTS, seed: crypto.randomUUID().slice(0, 8) }), 0);
  });
}
