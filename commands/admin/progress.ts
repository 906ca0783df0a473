import type { Client } from "../../core/client/api.ts";
import { messageOf } from "../../core/platform/errors.ts";
import type { Ring } from "../../core/ring/ring.ts";
import { UnfinishedError } from "../framework/exit_code.ts";

const LOOK_MS = 200;
/** After so long without any progress a command gives up waiting. */
const STALLED_MS = 30_000;

/**
 * After a change was asked for: looks at rings until nothing is left, and tells what is left each time that it has
 * changed. Rejects with {@link UnfinishedError} when it cannot see the end.
 */
export async function untilDone(
  client: Client,
  left: (ring: Ring, sameForMs: number) => string | undefined,
  tell: (line: string) => void,
): Promise<void> {
  let before = "";
  let sameForMs = 0;
  for (;;) {
    const now = left(await ringOf(client), sameForMs);
    if (now === undefined) return;
    if (now !== before) tell(now);
    sameForMs = now === before ? sameForMs + LOOK_MS : 0;
    before = now;
    if (sameForMs >= STALLED_MS) {
      const what = `nothing has moved for ${STALLED_MS / 1000} s: ${now}`;
      throw new UnfinishedError(`${what}; it goes on by itself, kv status tells what it waits for`);
    }
    await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
  }
}

async function ringOf(client: Client): Promise<Ring> {
  try {
    return await client.ring();
  } catch (error) {
    throw new UnfinishedError(
      `it was begun, and how far it is cannot be told (see kv status): ${messageOf(error)}`,
    );
  }
}
