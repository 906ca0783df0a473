import type { Command } from "./framework/command.ts";
import { nodeFlags, runNode } from "./framework/node.ts";

export const command: Command = {
  usage: "standby --data FOLDER [flags]",
  description:
    `Runs a standby on its folder: it copies the slots of data nodes, and takes over when one of them dies. Prints
"ready standby ADDR" when the cluster has taken it in, and "ready data ADDR" when it has become a data node. SIGINT or
SIGTERM: it waits until nobody counts on its copies, and then ends. SIGHUP: it ends at once in good order. A second signal
ends it like a crash.`,
  examples: [
    "kv standby --addr 127.0.0.1: --data data/sb1",
    "kv standby --addr :9801 --data data/sb2 --cfg cfg.yaml",
  ],
  arity: [0, 0],
  flags: nodeFlags,
  run: (context) => runNode(context, "standby"),
};
