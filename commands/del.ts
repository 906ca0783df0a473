import { clientFlags, type Command, outputFlag } from "./framework/command.ts";
import { conditionFlags, reportWrite, writeOptions } from "./framework/write_flags.ts";

export const command: Command = {
  usage: "del KEY [flags]",
  description:
    `Deletes the key and prints "deleted". Where there is nothing to delete, prints "not found" and exits with 1, and so it
does when the condition does not hold.`,
  examples: ["kv del a", "kv del a --if-version 7"],
  arity: [1, 1],
  flags: [...clientFlags, outputFlag, ...conditionFlags.filter(({ name }) => name !== "if-absent")],
  async run(context) {
    const { args, flags, connect } = context;
    const key = args[0]!;
    const options = writeOptions(flags);
    const client = await connect();
    return reportWrite(context, key, await client.delete(key, options));
  },
};
