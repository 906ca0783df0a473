/** What `put` and `del` have in common. */

import type { WriteOptions, WriteResult } from "../../core/client/api.ts";
import { outcomeExitCode, outcomeText } from "../print/outcome.ts";
import { type Context, type Flag, type FlagValues, UsageError } from "./command.ts";
import { jsonLine } from "./io.ts";

export const conditionFlags: readonly Flag[] = [
  { name: "if-absent", kind: "boolean", description: "only if the key has no value" },
  {
    name: "if-version",
    kind: "integer",
    min: 1,
    placeholder: "N",
    description: "only if the key's value has this version (kv get KEY --output json tells it)",
  },
];

export function writeOptions(flags: FlagValues): WriteOptions {
  const ifVersion = flags.integer("if-version");
  if (flags.boolean("if-absent") && ifVersion !== undefined) {
    throw new UsageError("--if-absent and --if-version exclude each other: give one");
  }
  if (flags.boolean("if-absent")) return { ifAbsent: true };
  return ifVersion === undefined ? {} : { ifVersion };
}

/** Prints what became of the write; the exit code. */
export function reportWrite({ io, flags }: Context, key: string, result: WriteResult): number {
  if (flags.required("output") === "json") {
    io.out(jsonLine({ key, outcome: result.outcome, version: result.version }));
  } else {
    io.out(outcomeText(result) + "\n");
  }
  return outcomeExitCode(result);
}
