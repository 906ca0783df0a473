/** The real world, for the commands that need it. Its parts are loaded when they are first wanted. */

import type { Client } from "../../core/client/api.ts";
import type { Config } from "../../core/platform/config.ts";
import type { World } from "../../core/platform/ports.ts";

/** `name` stands in each line of the log, such as "data". */
export async function realWorld({ logLevel }: Pick<Config, "logLevel">, name: string): Promise<World> {
  const [{ systemClock }, { systemRandom }, { systemDisk }, { stderrLog }, { grpcTransport }] = await Promise
    .all([
      import("../../core/platform/clock.ts"),
      import("../../core/platform/random.ts"),
      import("../../core/platform/disk.ts"),
      import("../../core/platform/log.ts"),
      import("../../core/rpc/transport.ts"),
    ]);
  const log = stderrLog(logLevel, name);
  const transport = grpcTransport({ clock: systemClock, log });
  return { clock: systemClock, random: systemRandom, disk: systemDisk, log, transport };
}

/** A client of the cluster at these addresses, separated by commas. */
export async function realClient(config: Config, addresses: string): Promise<Client> {
  const [
    { connect },
    { parseAddresses },
    { systemClock },
    { systemRandom },
    { stderrLog },
    { grpcTransport },
  ] = await Promise.all([
    import("../../core/client/client.ts"),
    import("../../core/platform/address.ts"),
    import("../../core/platform/clock.ts"),
    import("../../core/platform/random.ts"),
    import("../../core/platform/log.ts"),
    import("../../core/rpc/transport.ts"),
  ]);
  const masters = parseAddresses(addresses);
  const log = stderrLog(config.logLevel, "client");
  return connect({
    masters,
    clock: systemClock,
    random: systemRandom,
    transport: grpcTransport({ clock: systemClock, log }),
    log,
    timeoutMs: config.timeoutMs,
    pingPeriodMs: config.pingPeriodMs,
  });
}
