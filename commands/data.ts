import type { Command } from "./framework/command.ts";
import { nodeFlags, runNode } from "./framework/node.ts";

export const command: Command = {
  usage: "data --data FOLDER [flags]",
  description:
    `Runs a data node on its folder. Prints "ready data ADDR" when it serves. Started again on its folder, at any
address, it has its keys back. SIGINT or SIGTERM: it hands its slots to the other data nodes, and then ends; the last data
node keeps them. SIGHUP: it ends at once in good order and keeps its slots, to be started again. A second signal ends it
like a crash.`,
  examples: [
    "kv data --addr 127.0.0.1: --data data/server1",
    "kv data --addr :9701 --data data/server2 --cfg cfg.yaml",
  ],
  arity: [0, 0],
  flags: nodeFlags,
  run: (context) => runNode(context, "data"),
};
