/** The way of every run: find the command, read its flags, run it, make the exit code. */

import type { Client } from "../../core/client/api.ts";
import { VERSION } from "../../core/cluster/role.ts";
import { type Config, loadConfig } from "../../core/platform/config.ts";
import { settingFlags } from "../../core/platform/config_text.ts";
import { messageOf } from "../../core/platform/errors.ts";
import { didYouMean } from "../../core/platform/suggest.ts";
import { type Command, UsageError } from "./command.ts";
import { ExitCode, exitCodeOf } from "./exit_code.ts";
import { commandHelp, overview } from "./help.ts";
import type { Io } from "./io.ts";
import { parseCommandLine } from "./parse.ts";
import { COMMANDS, type Entry } from "./registry.ts";
import { realClient } from "./world.ts";

/** How commands get their client; tests give another. */
export type Connect = (config: Config, addresses: string) => Promise<Client>;

/** Runs kv with the words that follow its name on the command line. Resolves with the exit code, never rejects. */
export async function program(
  words: readonly string[],
  io: Io,
  connect: Connect = realClient,
): Promise<number> {
  const [first, ...rest] = words;
  try {
    if (first === undefined) {
      io.err((await overview()).trimEnd());
      return ExitCode.usage;
    }
    if (first === "--version" || first === "version") {
      io.out(`kv ${VERSION}\n`);
      return ExitCode.done;
    }
    if (first === "help" || first === "--help" || first === "-h") return await help(rest, io);
    return await runCommand(first, await load(first), rest, io, connect);
  } catch (error) {
    const hint = error instanceof UsageError ? `\n(${helpHint(first)})` : "";
    io.err(`kv: ${messageOf(error)}${hint}`);
    return exitCodeOf(error);
  }
}

async function help([name]: readonly string[], io: Io): Promise<number> {
  io.out(name === undefined ? await overview() : commandHelp(name, entryOf(name), await load(name)));
  return ExitCode.done;
}

async function runCommand(
  name: string,
  command: Command,
  words: readonly string[],
  io: Io,
  connect: Connect,
): Promise<number> {
  const settings = settingFlags(name).map(({ flag }) => flag);
  const { args, flags, typed } = parseCommandLine(words, command, settings);
  if (flags.boolean("help")) {
    io.out(commandHelp(name, entryOf(name), command));
    return ExitCode.done;
  }
  const config = loadConfig(flags.text("cfg"), typed);
  const clients: Client[] = [];
  try {
    return await command.run({
      io,
      args,
      flags,
      typed,
      config,
      async connect(addresses = flags.required("addr")) {
        const client = await connect(config, addresses);
        clients.push(client);
        return client;
      },
    });
  } finally {
    for (const client of clients) client.close();
  }
}

async function load(name: string): Promise<Command> {
  return (await entryOf(name).load()).command;
}

function entryOf(name: string): Entry {
  const entry = COMMANDS.get(name);
  if (entry === undefined) {
    throw new UsageError(`unknown command "${name}"${didYouMean(name, COMMANDS.keys())}`);
  }
  return entry;
}

function helpHint(first: string | undefined): string {
  return first !== undefined && COMMANDS.has(first)
    ? `kv help ${first} tells all about it`
    : "kv help lists the commands";
}
