/** What a subcommand is, and what it is given when it runs. */

import type { Client } from "../../core/client/api.ts";
import type { Config } from "../../core/platform/config.ts";
import type { Io } from "./io.ts";

/** A flag as the command line knows it: `--name VALUE`, or `--name` alone for booleans. */
export interface Flag {
  /** Kebab-case, without the dashes. */
  readonly name: string;
  /** "text" is handed on as it was typed; "integer" is checked here; "boolean" takes no value. */
  readonly kind: "text" | "integer" | "boolean";
  /** One line for the help. */
  readonly description: string;
  /** Stands in the help for the value, such as ADDR. */
  readonly placeholder?: string;
  /** Used where the flag is absent; shown in the help. */
  readonly default?: string;
  /** Bounds of an integer, inclusive. */
  readonly min?: number;
  readonly max?: number;
  /** The only texts allowed. */
  readonly choices?: readonly string[];
}

/** The flags of one run, checked. Absent flags have their default, or are undefined. */
export interface FlagValues {
  text(name: string): string | undefined;
  /** Of a flag with a default. */
  required(name: string): string;
  integer(name: string): number | undefined;
  boolean(name: string): boolean;
}

/** What a command is given. */
export interface Context {
  readonly io: Io;
  /** What was typed beside the flags. */
  readonly args: readonly string[];
  readonly flags: FlagValues;
  /** The flags as they were typed, by name without dashes. */
  readonly typed: Readonly<Record<string, unknown>>;
  /** The settings: flags before `cfg.yaml` before defaults. */
  readonly config: Config;
  /** A client of the cluster at these addresses, separated by commas; default: `--addr`. Closed after the run. */
  connect(addresses?: string): Promise<Client>;
}

export interface Command {
  /** What follows `kv `, such as `get KEY [flags]`. */
  readonly usage: string;
  /** What it does, for `kv help NAME`: a few lines. */
  readonly description: string;
  /** Complete command lines that can be typed as they are. */
  readonly examples: readonly string[];
  /** How many arguments there may be beside the flags, inclusive. */
  readonly arity: readonly [least: number, most: number];
  readonly flags: readonly Flag[];
  /** Resolves with the exit code; what it throws is printed, and becomes one at `exitCodeOf`. */
  run(context: Context): Promise<number>;
}

/** The command line is wrong: printed with the way to the help, exit code 2. */
export class UsageError extends Error {
  override name = "UsageError";
}

export const outputFlag: Flag = {
  name: "output",
  kind: "text",
  placeholder: "FORM",
  choices: ["simple", "json"],
  default: "simple",
  description: "form of the results",
};

const cfgFlag: Flag = {
  name: "cfg",
  kind: "text",
  placeholder: "FILE",
  description: "configuration file; without it cfg.yaml of the working folder, where there is one",
};

/** Of every command that is a client of the cluster. */
export const clientFlags: readonly Flag[] = [
  {
    name: "addr",
    kind: "text",
    placeholder: "ADDRS",
    default: ":9666",
    description: "masters (or data nodes) to ask, separated by commas; :9666 is 127.0.0.1:9666",
  },
  cfgFlag,
];

/** Of the commands that run a server; `addr` is described by each. */
export const serverFlags = (addr: Omit<Flag, "name" | "kind">): readonly Flag[] => [
  { name: "addr", kind: "text", placeholder: "ADDR", ...addr },
  {
    name: "end-with-stdin",
    kind: "boolean",
    description:
      "when standard input ends, end as at SIGHUP: for a program that starts servers, so that none outlives it",
  },
  cfgFlag,
];
