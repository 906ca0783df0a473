import { clientFlags, type Command, outputFlag } from "./framework/command.ts";
import { readValue } from "./framework/io.ts";
import { conditionFlags, reportWrite, writeOptions } from "./framework/write_flags.ts";

export const command: Command = {
  usage: "put KEY VALUE|- [flags]",
  description:
    `Gives the key this value and prints "created" or "updated". With - the value is all of standard input, byte for byte, at most 2 MiB.
Exits with 1 when the condition does not hold. A value that begins with a dash goes after --: kv put -- temperature -5`,
  examples: [
    "kv put a 1",
    "kv put picture - < picture.png",
    "kv put lock me --if-absent",
    "kv put a 2 --if-version 7",
  ],
  arity: [2, 2],
  flags: [...clientFlags, outputFlag, ...conditionFlags],
  async run(context) {
    const { io, args, flags, connect } = context;
    const [key, typed] = args as [string, string];
    const options = writeOptions(flags);
    const value = typed === "-" ? await readValue(io) : typed;
    const client = await connect();
    return reportWrite(context, key, await client.put(key, value, options));
  },
};
