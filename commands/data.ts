import { type Command, serverFlags } from "./framework/command.ts";
import { serve, zookeeper } from "./framework/server.ts";
import { realWorld } from "./framework/world.ts";

export const command: Command = {
  usage: "data --data FOLDER [flags]",
  description:
    `Runs a data node on its folder until SIGINT or SIGTERM. Prints "ready data ADDR" when it serves. Started again on its
folder, at any address, it has its keys back.`,
  examples: [
    "kv data --addr 127.0.0.1: --data data/server1",
    "kv data --addr :9701 --data data/server2 --cfg cfg.yaml",
  ],
  arity: [0, 0],
  flags: [
    {
      name: "data",
      kind: "text",
      placeholder: "FOLDER",
      description: "folder of the data; made when missing",
    },
    ...serverFlags({
      description: "where to listen: HOST: takes a free port, :9701 is 127.0.0.1:9701",
      default: "127.0.0.1:",
    }),
  ],
  async run({ io, flags, config }) {
    const folder = flags.required("data");
    const [{ DataNode }, { parseAddress }, world] = await Promise.all([
      import("../core/cluster/data_node.ts"),
      import("../core/platform/address.ts"),
      realWorld(config, "data"),
    ]);
    const address = parseAddress(flags.required("addr"));
    const coordinator = await zookeeper(config, world);
    const node = new DataNode({ world, coordinator, config, address, folder });
    return await serve(node, io, () => io.out(`ready data ${node.address}\n`));
  },
};
