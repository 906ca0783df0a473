import { clientFlags, type Command } from "./framework/command.ts";

export const command: Command = {
  usage: "shell [flags]",
  description:
    `Reads operations line by line: get KEY, put KEY VALUE, del KEY, dump, help, exit. From a pipe it prints the answers
alone, errors on standard error, and exits with the code of the first error.`,
  examples: ["kv shell --addr :9666,127.0.0.1:9667", "printf 'put a 1\\nget a\\n' | kv shell --addr :9666"],
  arity: [0, 0],
  flags: clientFlags,
  async run({ io, connect }) {
    const client = await connect();
    const { runShell } = await import("./shell/session.ts");
    return await runShell(client, io);
  },
};
