/** The texts of `kv help` and `kv help NAME`. */

import { settingFlags, settingsHelp } from "../../core/platform/config_text.ts";
import type { Command, Flag } from "./command.ts";
import { COMMANDS, type Entry } from "./registry.ts";

/** The overview. Loads every command for its example. */
export async function overview(): Promise<string> {
  const width = Math.max(...[...COMMANDS.keys()].map((name) => name.length));
  const lines = await Promise.all([...COMMANDS].map(async ([name, { summary, load }]) => {
    const { command } = await load();
    return `  ${name.padEnd(width)}  ${summary}\n  ${" ".repeat(width)}  $ ${command.examples[0]}\n`;
  }));
  return `kv is a distributed key-value store.

Usage: kv COMMAND [arguments] [flags]

${lines.join("")}
kv help COMMAND tells all about a command; kv --version prints the version.
Exit codes: 0 done, 1 not found or condition false, 2 usage, 3 unavailable or timed out, nothing was done,
4 begun, not finished (admin), 5 outcome unknown, 6 any other error, 130 ended by a second signal.
`;
}

/** All about one command. */
export function commandHelp(name: string, { summary }: Entry, command: Command): string {
  const examples = command.examples.map((line) => `  $ ${line}\n`).join("");
  const flags = command.flags.map(flagHelp).join("");
  const settings = settingFlags(name).length === 0
    ? ""
    : `\nSettings (they may also stand in cfg.yaml):\n${settingsHelp(name)}`;
  return `kv ${name}: ${summary}

Usage: kv ${command.usage}

${command.description}

Examples:
${examples}${flags === "" ? "" : `\nFlags:\n${flags}`}${settings}`;
}

function flagHelp(flag: Flag): string {
  const value = flag.kind === "boolean" ? "" : ` ${flag.choices?.join("|") ?? flag.placeholder ?? "VALUE"}`;
  const fallback = flag.default === undefined ? "" : ` (default ${flag.default})`;
  return `  --${flag.name}${value}\n      ${flag.description}${fallback}\n`;
}
