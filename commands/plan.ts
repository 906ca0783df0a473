import { clientFlags, type Command, type Context, outputFlag, UsageError } from "./framework/command.ts";
import type { Client } from "../core/client/api.ts";
import { memberNamed } from "../core/client/insight/find.ts";
import { Picture } from "../core/client/insight/picture.ts";
import { planMoves, ringWithNewcomer } from "../core/client/insight/plan.ts";
import { KvError } from "../core/platform/errors.ts";
import { didYouMean } from "../core/platform/suggest.ts";
import { withoutMember } from "../core/ring/members.ts";
import type { Ring } from "../core/ring/ring.ts";
import { rebalancedRing } from "./admin/rebalance.ts";
import { ExitCode } from "./framework/exit_code.ts";
import { jsonLine } from "./framework/io.ts";
import { refuseTyped } from "./framework/misplaced.ts";
import { planJson, planText } from "./print/plan.ts";

const NAMES = ["join", "drain", "rebalance"];

export const command: Command = {
  usage: "plan join | plan drain NODE | plan rebalance [--undo] [flags]",
  description:
    `Shows what would move, before anything does: slots, keys, bytes, and the time at the rate that the nodes are
configured with (transferBytesPerSecond). What is under way anyhow is part of it. Nothing is changed.
join         one more data node: the label it would get, and the slots that it would take over
drain NODE   the data node or standby with this address or id leaves: see kv admin drain
rebalance    the data nodes get even shares of the slots, or, with --undo, those of the rule: see kv admin rebalance
With json: {"what", "moves": [{"from", "to", "handedOver", "copied", "keys", "bytes"}], "sizeUnknown", "seconds"}.`,
  examples: ["kv plan join", "kv plan drain 127.0.0.1:9701 --output json", "kv plan rebalance --undo"],
  arity: [1, 2],
  flags: [
    ...clientFlags,
    outputFlag,
    { name: "undo", kind: "boolean", description: "rebalance: each slot to the nearest label again" },
  ],
  async run(context) {
    const { io, flags } = context;
    const client = await checked(context);
    const picture = new Picture(await client.ring(), await client.status());
    const { what, after } = target(picture.ring, context);
    const plan = planMoves(picture, after);
    const json = flags.required("output") === "json";
    io.out(json ? jsonLine(planJson(after, what, plan)) : planText(after, what, plan));
    return ExitCode.done;
  },
};

/** Connects only when the words make sense. */
function checked({ args: [name, node], typed, connect }: Context): Promise<Client> {
  if (!NAMES.includes(name!)) {
    throw new UsageError(`unknown plan "${name}"${didYouMean(name!, NAMES)}: there are ${NAMES.join(", ")}`);
  }
  if (name !== "rebalance") {
    refuseTyped(typed, ["undo"], (flag) => `${flag} does not belong to kv plan ${name}`);
  }
  if ((name === "drain") === (node !== undefined)) return connect();
  throw new UsageError(name === "drain" ? "NODE is missing: kv plan drain NODE" : `${name} takes no NODE`);
}

/** The ring as it would be. */
function target(ring: Ring, { args: [name, node], flags }: Context): { what: string; after: Ring } {
  if (name === "rebalance") return rebalancedRing(ring, flags.boolean("undo"));
  if (name === "join") {
    const joined = ringWithNewcomer(ring);
    if (joined !== undefined) {
      return { what: `a new data node with label ${joined.node.label}`, after: joined.ring };
    }
    throw new KvError("refused", `all ${ring.settings.msn} seats are taken: no data node can join`);
  }
  const { ref, address } = memberNamed(ring, node!);
  const after = withoutMember(ring, ref);
  if (typeof after === "string") throw new KvError("refused", `${address} cannot be drained: ${after}`);
  return { what: `without ${address}`, after };
}
