/** All subcommands. To add one: a file in `commands/` that exports `command`, and a line here. */

import type { Command } from "./command.ts";

export interface Entry {
  /** One line for `kv help`. */
  readonly summary: string;
  /** Loads the command's code, which only the command that runs is to pay for. */
  readonly load: () => Promise<{ readonly command: Command }>;
}

/** In the order of `kv help`. */
export const COMMANDS: ReadonlyMap<string, Entry> = new Map<string, Entry>([
  ["up", { summary: "open a running cluster on this machine", load: () => import("../up.ts") }],
  ["shell", { summary: "talk to a cluster line by line", load: () => import("../shell.ts") }],
  ["get", { summary: "print the value of a key", load: () => import("../get.ts") }],
  ["put", { summary: "give a key a value", load: () => import("../put.ts") }],
  ["del", { summary: "delete a key", load: () => import("../del.ts") }],
  ["dump", { summary: "print all keys, server by server", load: () => import("../dump.ts") }],
  ["status", { summary: "print the state of every server", load: () => import("../status.ts") }],
  ["explain", { summary: "tell where a key lies", load: () => import("../explain.ts") }],
  ["plan", { summary: "show what would move if a node came or went", load: () => import("../plan.ts") }],
  ["admin", {
    summary: "let a node go, and other ways to steer a cluster",
    load: () => import("../admin.ts"),
  }],
  ["bench", {
    summary: "run a scripted load, or check that nothing is lost",
    load: () => import("../bench.ts"),
  }],
  ["master", { summary: "run a master", load: () => import("../master.ts") }],
  ["data", { summary: "run a data node", load: () => import("../data.ts") }],
  ["standby", {
    summary: "run a standby, which takes over when a data node dies",
    load: () => import("../standby.ts"),
  }],
]);
