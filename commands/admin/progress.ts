import type { Client } from "../../core/client/api.ts";
import { KvError } from "../../core/platform/errors.ts";
import type { Ring } from "../../core/ring/ring.ts";

const LOOK_MS = 200;
/** After so long without any progress a command gives up waiting. */
const STALLED_MS = 30_000;

/** Looks at rings until nothing is left; tells what is left each time that it has changed. */
export async function untilDone(
  client: Client,
  left: (ring: Ring, sameForMs: number) => string | undefined,
  tell: (line: string) => void,
): Promise<void> {
  let before = "";
  let sameForMs = 0;
  for (;;) {
    const now = left(await client.ring(), sameForMs);
    if (now === undefined) return;
    if (now !== before) tell(now);
    sameForMs = now === before ? sameForMs + LOOK_MS : 0;
    before = now;
    if (sameForMs >= STALLED_MS) {
      throw new KvError(
        "unavailable",
        `nothing has moved for ${STALLED_MS / 1000} s: ${now}; it goes on by itself`,
      );
    }
    await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
  }
}
