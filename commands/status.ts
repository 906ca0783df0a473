import { clientFlags, type Command, outputFlag } from "./framework/command.ts";
import { ExitCode } from "./framework/exit_code.ts";
import { jsonLine } from "./framework/io.ts";
import { statusJson, statusText } from "./print/status.ts";

export const command: Command = {
  usage: "status [flags]",
  description:
    `Prints the state of the servers that --addr names and of all data nodes and standbys, one line or JSON document each. Exits with 3 when
one of them does not answer.`,
  examples: ["kv status", "kv status --output json --addr :9666,:9667"],
  arity: [0, 0],
  flags: [...clientFlags, outputFlag],
  async run({ io, flags, connect }) {
    const client = await connect();
    const servers = await client.status();
    const json = flags.required("output") === "json";
    for (const server of servers) io.out(json ? jsonLine(statusJson(server)) : statusText(server));
    return servers.every(({ reply }) => reply !== undefined) ? ExitCode.done : ExitCode.unavailable;
  },
};
