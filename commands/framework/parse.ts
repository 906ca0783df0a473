/** From what was typed to checked arguments and flags. */

import { parseArgs } from "@std/cli";
import { closest } from "../../core/platform/suggest.ts";
import { type Command, type Flag, type FlagValues, UsageError } from "./command.ts";

export interface Parsed {
  readonly args: readonly string[];
  readonly flags: FlagValues;
  /** Flags as typed, by name without dashes: what `loadConfig` wants. */
  readonly typed: Readonly<Record<string, unknown>>;
}

/** What every command has. */
const HELP: Flag = { name: "help", kind: "boolean", description: "show this help" };

/**
 * Reads the words after the command's name. `settings` are the flags that come from the configuration's table; their
 * values are checked there. Throws {@link UsageError}.
 */
export function parseCommandLine(
  words: readonly string[],
  command: Pick<Command, "flags" | "arity" | "usage">,
  settings: readonly string[],
): Parsed {
  const flags = [...command.flags, HELP];
  const known = [...flags.map((flag) => flag.name), ...settings];
  const switches = flags.filter((flag) => flag.kind === "boolean").map((flag) => flag.name);
  const { _: args, ...typed } = parseArgs(spelledOut(words, switches, known), {
    boolean: switches,
    string: ["_", ...flags.filter((flag) => flag.kind !== "boolean").map((flag) => flag.name), ...settings],
    unknown: (word, key) => key === undefined ? true : rejectFlag(word, known),
  });
  for (const [name, value] of Object.entries(typed)) {
    if (value === "") throw new UsageError(`--${name} needs a value: --${name} VALUE`);
  }
  const values = new TypedFlags(flags, typed);
  if (!values.boolean("help")) {
    flags.forEach((flag) => checkFlag(flag, typed[flag.name]));
    checkArity(args.map(String), command);
  }
  return { args: args.map(String), flags: values, typed };
}

/**
 * The words with `--name` as `--name=true` where it is a switch: left as it is it would swallow a word `true` or `false`
 * that follows. Switches say yes or no, and nothing that only looks like it.
 */
function spelledOut(
  words: readonly string[],
  switches: readonly string[],
  known: readonly string[],
): string[] {
  const end = words.includes("--") ? words.indexOf("--") : words.length;
  return words.map((word, place) => {
    const [, name, value = "true"] = /^--([^=]+)(?:=(.*))?$/s.exec(word) ?? [];
    if (place >= end || name === undefined) return word;
    if (name.startsWith("no-") && !known.includes(name)) rejectFlag(word, known);
    if (!switches.includes(name)) return word;
    // The parser takes a first "no-" of a word with a value away.
    if (value === "true" || value === "false") return `--${name.replace(/^no-/, "$&$&")}=${value}`;
    throw new UsageError(
      `--${name}=${value} is neither --${name}=true nor --${name}=false: say --${name}, or leave it out`,
    );
  });
}

class TypedFlags implements FlagValues {
  constructor(private readonly flags: readonly Flag[], private readonly typed: Record<string, unknown>) {}

  text(name: string): string | undefined {
    const value = this.typed[name];
    return typeof value === "string" ? value : this.flags.find((flag) => flag.name === name)?.default;
  }

  required(name: string): string {
    const value = this.text(name);
    if (value === undefined) throw new UsageError(`--${name} is missing`);
    return value;
  }

  integer(name: string): number | undefined {
    const value = this.text(name);
    return value === undefined ? undefined : Number(value);
  }

  boolean(name: string): boolean {
    return this.typed[name] === true;
  }
}

function checkFlag(flag: Flag, value: unknown): void {
  if (typeof value !== "string") return;
  if (flag.choices !== undefined && !flag.choices.includes(value)) {
    const nearest = closest(value, flag.choices);
    const hint = nearest === undefined ? "" : `; did you mean ${nearest}?`;
    throw new UsageError(`--${flag.name} ${value} is none of ${flag.choices.join(", ")}${hint}`);
  }
  if (flag.kind !== "integer") return;
  const { min = 0, max = Number.MAX_SAFE_INTEGER } = flag;
  const number = /^\d+$/.test(value) ? Number(value) : NaN;
  if (!(number >= min && number <= max)) {
    const bounds = max === Number.MAX_SAFE_INTEGER ? `from ${min} on` : `from ${min} to ${max}`;
    throw new UsageError(`--${flag.name} ${value} is not a whole number ${bounds}`);
  }
}

function checkArity(
  args: readonly string[],
  { arity: [least, most], usage }: Pick<Command, "arity" | "usage">,
) {
  if (args.length < least) throw new UsageError(`too few arguments: the form is kv ${usage}`);
  if (args.length > most) {
    const first = JSON.stringify(args[most]);
    throw new UsageError(
      `too many arguments, from ${first} on: the form is kv ${usage} (quote what has blanks)`,
    );
  }
}

function rejectFlag(word: string, known: readonly string[]): never {
  const typed = word.split("=")[0]!;
  const nearest = closest(typed.replace(/^-+/, ""), known);
  if (nearest !== undefined) throw new UsageError(`unknown flag ${typed}; did you mean --${nearest}?`);
  throw new UsageError(`unknown flag ${typed} (an argument that begins with - goes after --)`);
}
