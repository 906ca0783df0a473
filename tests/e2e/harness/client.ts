import type { Client } from "../../../core/client/api.ts";
import { connect } from "../../../core/client/client.ts";
import { systemClock } from "../../../core/platform/clock.ts";
import { stderrLog } from "../../../core/platform/log.ts";
import { systemRandom } from "../../../core/platform/random.ts";
import { grpcTransport } from "../../../core/rpc/transport.ts";
import type { Observer } from "./health.ts";

/** The client library over the real network, inside the test's process. */
export function openClient(masters: readonly string[]): Client & Disposable {
  const { client, [Symbol.dispose]: dispose } = openObserver(masters);
  return Object.assign(client, { [Symbol.dispose]: dispose });
}

/** A client, and the transport below it for questions to single servers. */
export function openObserver(masters: readonly string[]): Observer & Disposable {
  const log = stderrLog("error", "test client");
  const transport = grpcTransport({ clock: systemClock, log });
  const client = connect({ masters, clock: systemClock, random: systemRandom, transport, log });
  return {
    client,
    transport,
    [Symbol.dispose]() {
      client.close();
      transport.close();
    },
  };
}
