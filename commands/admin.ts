import {
  clientFlags,
  type Command,
  type Context,
  type Flag,
  outputFlag,
  UsageError,
} from "./framework/command.ts";
import { didYouMean } from "../core/platform/suggest.ts";

interface Action {
  /** Words beside its name. */
  readonly words: readonly string[];
  /** Flags of it alone. */
  readonly flags: readonly string[];
  readonly load: () => Promise<(context: Context) => Promise<number>>;
}

const ACTIONS: ReadonlyMap<string, Action> = new Map<string, Action>([
  ["drain", {
    words: ["NODE"],
    flags: ["no-wait"],
    load: async () => (await import("./admin/drain.ts")).drain,
  }],
  ["can-stop", {
    words: ["NODE"],
    flags: [],
    load: async () => (await import("./admin/can_stop.ts")).canStop,
  }],
]);

const actionFlags: readonly Flag[] = [
  { name: "no-wait", kind: "boolean", description: "drain: do not wait until the node has left" },
];

export const command: Command = {
  usage: "admin drain|can-stop NODE [flags]",
  description:
    `Steers a cluster. NODE is the address or id of a data node or standby, as kv status shows them.
drain NODE     the node hands its slots to its neighbours, waits until nobody counts on its copies, leaves the ring, and
               ends; clients go on meanwhile. Refused for the last data node. Progress goes to standard error. Exit code 3
               when nothing has moved for 30 s (it goes on all the same, see kv status), 6 when the node does not go.
can-stop NODE  whether the node (or a master that --addr names) may be stopped right now, by whatever means, and why not:
               slots that would have no copy in sync, or too few for minInSync. Exit code 0: it may; 1: it may not.`,
  examples: ["kv admin drain 127.0.0.1:9701", "kv admin can-stop 127.0.0.1:9701"],
  arity: [1, 3],
  flags: [...clientFlags, outputFlag, ...actionFlags],
  async run(context) {
    const [name, ...words] = context.args;
    const action = ACTIONS.get(name!);
    if (action === undefined) {
      const names = [...ACTIONS.keys()];
      throw new UsageError(
        `unknown action "${name}"${didYouMean(name!, names)}: there are ${names.join(", ")}`,
      );
    }
    if (words.length !== action.words.length) {
      throw new UsageError(`the form is kv admin ${[name, ...action.words].join(" ")}`);
    }
    for (const { name: flag } of actionFlags) {
      if (
        context.typed[flag] !== undefined && context.typed[flag] !== false && !action.flags.includes(flag)
      ) {
        throw new UsageError(`--${flag} does not belong to kv admin ${name}`);
      }
    }
    return await (await action.load())({ ...context, args: words });
  },
};
