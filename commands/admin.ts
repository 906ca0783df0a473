import {
  clientFlags,
  type Command,
  type Context,
  type Flag,
  outputFlag,
  UsageError,
} from "./framework/command.ts";
import { refuseTyped } from "./framework/misplaced.ts";
import { didYouMean } from "../core/platform/suggest.ts";

interface Action {
  /** Words beside its name; in brackets those that may be left out. */
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
  ["force-owner", {
    words: ["SLOTS|label:LABEL", "NODE"],
    flags: ["accept-data-loss", "owner-is-dead", "accept-empty", "yes", "by"],
    load: async () => (await import("./admin/force_owner.ts")).forceOwner,
  }],
  ["salvage", {
    words: ["SLOTS"],
    flags: ["yes", "by"],
    load: async () => (await import("./admin/salvage.ts")).salvage,
  }],
  ["accept-ring", {
    words: ["[NODE]"],
    flags: ["yes"],
    load: async () => (await import("./admin/accept_ring.ts")).acceptRing,
  }],
  ["can-stop", {
    words: ["NODE"],
    flags: [],
    load: async () => (await import("./admin/can_stop.ts")).canStop,
  }],
  ["rebalance", {
    words: [],
    flags: ["yes", "undo", "no-wait"],
    load: async () => (await import("./admin/rebalance.ts")).rebalance,
  }],
]);

const actionFlags: readonly Flag[] = [
  { name: "no-wait", kind: "boolean", description: "drain, rebalance: do not wait until it is done" },
  {
    name: "accept-data-loss",
    kind: "boolean",
    description: "force-owner: must be said; acknowledged writes may be lost for good",
  },
  {
    name: "owner-is-dead",
    kind: "boolean",
    description:
      "force-owner: no process of the owner runs, for certain; it is not waited for its confirmation",
  },
  {
    name: "accept-empty",
    kind: "boolean",
    description: "force-owner: a slot of which the node has nothing starts empty",
  },
  {
    name: "yes",
    kind: "boolean",
    description: "rebalance, force-owner, salvage, accept-ring: do not ask",
  },
  { name: "undo", kind: "boolean", description: "rebalance: each slot to the nearest label again" },
  {
    name: "by",
    kind: "text",
    placeholder: "WHO",
    description:
      "force-owner, salvage: who does it, for the record in the ring; default: the home folder's name",
  },
];

export const command: Command = {
  usage: "admin drain|can-stop|rebalance|force-owner|salvage|accept-ring WORDS [flags]",
  description:
    `Steers a cluster. NODE is the address or id of a data node or standby, as kv status shows them.
drain NODE     the node hands its slots to its neighbours, waits until nobody counts on its copies, leaves the ring, and
               ends; clients go on meanwhile. Refused for the last data node. Progress goes to standard error. Exit code 6
               when the node does not go.
can-stop NODE  whether the node (or a master that --addr names) may be stopped right now, by whatever means, and why not:
               slots that would have no copy in sync, or too few for minInSync. Exit code 0: it may; 1: it may not.
rebalance      gives the data nodes even shares, at most one slot apart, with as few moves as possible (kv plan rebalance
               shows them), while clients go on. Nodes that join or leave later keep the shares even. --undo: back to the
               rule, where each slot belongs to the nearest label.
force-owner SLOTS NODE  for slots of which no complete copy is alive, nor can be brought back: the node becomes their owner
               with what it has of them. What was acknowledged and is not there is lost for good. SLOTS are numbers (7,
               0..34, or 0..34,130), or label:68 for all slots of the node with this label that nobody serves. The owner
               before must confirm that it has stopped, or you must know (--owner-is-dead). Refused while a member of the
               in-sync set with a good copy is alive. The ring keeps who did it (--by), when, and from whom.
salvage SLOTS  for slots whose only copy is damaged: the owner goes on with what can be read of it. Prints the keys that are
               known to be lost, and where the damage is. Refused while another good copy is alive.
accept-ring [NODE]  for a coordinator that was restored from an old copy, which stops the active master from writing the
               ring: the newest ring that the nodes know (or this node's) takes the place of the coordinator's. Start all
               nodes that can be started before.
All but the first two say what they are about to do, and ask on the terminal.
Exit codes: 1 the answer was not yes; 3 nothing was done; 4 it was begun and is not finished: for 30 s nothing has moved, or
a slot is not served (it goes on all the same, see kv status); 5 no answer, so that it may have been done or not; 6 refused,
with the reason.`,
  examples: [
    "kv admin drain 127.0.0.1:9701",
    "kv admin can-stop 127.0.0.1:9701",
    "kv admin rebalance --yes",
    "kv admin force-owner label:68 127.0.0.1:9801 --accept-data-loss --owner-is-dead --by alice",
    "kv admin salvage 7,12 --yes",
    "kv admin accept-ring --addr :9666,:9667",
  ],
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
    const least = action.words.filter((word) => !word.startsWith("[")).length;
    if (words.length < least || words.length > action.words.length) {
      throw new UsageError(`the form is kv admin ${[name, ...action.words].join(" ")}`);
    }
    const others = actionFlags.map((flag) => flag.name).filter((flag) => !action.flags.includes(flag));
    refuseTyped(context.typed, others, (flag) => `${flag} does not belong to kv admin ${name}`);
    return await (await action.load())({ ...context, args: words });
  },
};
