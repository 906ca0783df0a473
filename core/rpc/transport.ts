import type { Transport } from "../platform/ports.ts";
import { Channels } from "./channel.ts";
import { call, openStream } from "./client.ts";
import { settingsOf, type TransportOptions } from "./options.ts";
import { listen } from "./server.ts";

/** The transport of the network: gRPC over HTTP/2, without TLS. */
export function grpcTransport(options: TransportOptions): Transport {
  const settings = settingsOf(options);
  const channels = new Channels(settings);
  return {
    call: (to, method, request, timeoutMs) => call(channels, to, method, request, timeoutMs),
    stream: (to, method, replies) => openStream(channels, to, method, replies),
    listen: (address, bind) => listen(address, bind, settings),
    close: () => channels.close(),
  };
}
