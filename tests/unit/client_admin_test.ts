import { assertEquals, assertRejects } from "@std/assert";
import { AdminCalls } from "../../core/client/admin.ts";
import type { RingSource } from "../../core/client/ring_source.ts";
import { KvError, UnreachableError } from "../../core/platform/errors.ts";
import type { Transport } from "../../core/platform/ports.ts";
import { Told } from "./insight_world.ts";

const MASTER = "127.0.0.1:9666";

/** Every change is answered with this error; the master says that it is active. */
function callsWith(error: KvError): AdminCalls {
  const transport = {
    call: (_to: string, { path }: { path: string }) =>
      path.endsWith("/Status")
        ? Promise.resolve({ role: "master", active: true, halted: "its ring" })
        : Promise.reject(error),
  } as unknown as Transport;
  const { ring } = new Told();
  const source = { wait: () => Promise.resolve({ ...ring, writer: MASTER }) } as unknown as RingSource;
  return new AdminCalls([MASTER], transport, source, () => 1000);
}

const CHANGES: Readonly<Record<string, (calls: AdminCalls) => Promise<unknown>>> = {
  drain: (calls) => calls.drain(new Told().ring.nodes[0]!.ref),
  rebalance: (calls) => calls.rebalance(false),
  forceOwner: (calls) =>
    calls.forceOwner({ slots: [], node: undefined, by: "", ownerIsDead: false, acceptEmpty: false }),
  acceptRing: (calls) => calls.acceptRing(undefined),
};

for (const [name, change] of Object.entries(CHANGES)) {
  Deno.test(`${name}: without an answer it is unknown whether it was done, a refusal says that it was not`, async () => {
    for (const error of [new UnreachableError("no answer"), new KvError("unavailable", "the ring ...")]) {
      const lost = await assertRejects(() => change(callsWith(error)), KvError, error.message);
      assertEquals(lost.code, "outcome-unknown");
    }
    const refused = await assertRejects(() => change(callsWith(new KvError("refused", "no"))), KvError);
    assertEquals(refused.code, "refused");
  });
}
