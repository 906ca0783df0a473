import { verdictOf } from "../core/client/insight/verdict.ts";
import { clientFlags, type Command, outputFlag } from "./framework/command.ts";
import { ExitCode } from "./framework/exit_code.ts";
import { jsonLine } from "./framework/io.ts";
import { statusJson, statusText, verdictText } from "./print/status.ts";

/** The ring came with the answers, or will not come. */
const RING_WAIT_MS = 100;

export const command: Command = {
  usage: "status [flags]",
  description:
    `Prints the state of the servers that --addr names and of all masters, data nodes and standbys, one line or JSON document
each. "log at" is the sum of the positions of a node's slots in their logs. Below a
node stands who copies its slots, how far behind, and what is on its way there, at which rate. The last line is the
verdict:
  healthy      everything is served, and every copy that there should be is in sync
  degraded     everything is served, but less would be left if more went wrong; what it is, and what to do
  unavailable  keys cannot be read or written; which slots, what is missing, and what to do
With json the last document is {"verdict": {"state", "problems": [{"state", "what", "todo", "slots"}]}}.
Exits with 3 when slots are unavailable or one of the servers does not answer.`,
  examples: ["kv status", "kv status --output json --addr :9666,:9667"],
  arity: [0, 0],
  flags: [...clientFlags, outputFlag],
  async run({ io, flags, connect }) {
    const client = await connect();
    const servers = await client.status();
    const ring = await client.ring({ timeoutMs: RING_WAIT_MS }).catch(() => undefined);
    const verdict = verdictOf(ring, servers);
    const json = flags.required("output") === "json";
    for (const server of servers) io.out(json ? jsonLine(statusJson(server)) : statusText(server));
    io.out(json ? jsonLine({ verdict }) : verdictText(verdict));
    const well = verdict.state !== "unavailable" && servers.every(({ reply }) => reply !== undefined);
    return well ? ExitCode.done : ExitCode.unavailable;
  },
};
