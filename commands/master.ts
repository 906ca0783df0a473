import { type Command, serverFlags } from "./framework/command.ts";
import { announceMaster, serve, zookeeper } from "./framework/server.ts";
import { realWorld } from "./framework/world.ts";

export const command: Command = {
  usage: "master [flags]",
  description:
    `Runs a master until SIGINT, SIGTERM or SIGHUP. Of several masters one is active; the others wait to take over. Prints
"waiting master ADDR" when it listens and "ready master ADDR" when it has become the active one.`,
  examples: ["kv master --addr :9666", "kv master --addr :9667 --cfg cfg.yaml"],
  arity: [0, 0],
  flags: serverFlags({
    description: "where to listen: :9666 is 127.0.0.1:9666, HOST: takes a free port",
    default: ":9666",
  }),
  async run(context) {
    const { io, flags, config } = context;
    const [{ Master }, { listenAddress }, world] = await Promise.all([
      import("../core/cluster/master.ts"),
      import("../core/platform/address.ts"),
      realWorld(config, "master"),
    ]);
    const address = listenAddress(flags.required("addr"));
    const master = new Master({ world, coordinator: await zookeeper(config, world), config, address });
    return await serve(master, context, () => announceMaster(master, io));
  },
};
