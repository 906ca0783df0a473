import { clientFlags, type Command, outputFlag } from "./framework/command.ts";
import { ExitCode } from "./framework/exit_code.ts";
import { jsonLine } from "./framework/io.ts";
import { jsonField } from "../core/platform/json_bytes.ts";

export const command: Command = {
  usage: "get KEY [flags]",
  description:
    `Prints the value of the key and a line end. Where there is none, says "not found" on standard error and
exits with 1. The form json is {"key", "found", "value", "version"}, with "valueBase64" for a value that is not UTF-8.`,
  examples: [
    "kv get a",
    "kv get picture --raw > picture.png",
    "kv get a --output json --addr :9666,127.0.0.1:9667",
  ],
  arity: [1, 1],
  flags: [
    ...clientFlags,
    outputFlag,
    { name: "raw", kind: "boolean", description: "print the value alone, without a line end" },
  ],
  async run({ io, args, flags, connect }) {
    const key = args[0]!;
    const client = await connect();
    const found = await client.get(key);
    const code = found === undefined ? ExitCode.notFound : ExitCode.done;
    if (flags.required("output") === "json") {
      const value = found === undefined ? {} : { ...jsonField("value", found.value), version: found.version };
      io.out(jsonLine({ key, found: found !== undefined, ...value }));
    } else if (found === undefined) {
      io.err("not found");
    } else {
      io.out(found.value);
      if (!flags.boolean("raw")) io.out("\n");
    }
    return code;
  },
};
