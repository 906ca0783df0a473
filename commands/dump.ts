import { clientFlags, type Command, outputFlag } from "./framework/command.ts";
import { ExitCode } from "./framework/exit_code.ts";
import { jsonLine } from "./framework/io.ts";
import { dump, dumpJson } from "./print/dump.ts";

export const command: Command = {
  usage: "dump [flags]",
  description:
    `Prints all keys with their values and slots, server by server: for looking at small clusters. The servers come in the
order of their labels, the keys of each in the order of its files. With json: one document for each server.`,
  examples: ["kv dump", "kv dump --output json"],
  arity: [0, 0],
  flags: [...clientFlags, outputFlag],
  async run({ io, flags, connect }) {
    const client = await connect();
    if (flags.required("output") === "json") await dumpJson(client, (document) => io.out(jsonLine(document)));
    else await dump(client, (text) => io.out(text));
    return ExitCode.done;
  },
};
