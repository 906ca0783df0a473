/** What to type next, for people. */

import type { Address } from "../../core/platform/ports.ts";

/** The command line that opens a shell on these masters. */
export function howToReach(masters: readonly Address[]): string {
  const addresses = masters.map((address) => address.replace(/^127\.0\.0\.1(?=:)/, "")).join(",");
  return `kv is ready. In another terminal: ${ownName()} shell --addr ${addresses}`;
}

/** As one would type it here. */
function ownName(): string {
  const self = Deno.env.get("KV_SELF");
  if (!self) return "kv";
  const here = `${Deno.cwd()}/`;
  return self.startsWith(here) ? `./${self.slice(here.length)}` : self;
}
