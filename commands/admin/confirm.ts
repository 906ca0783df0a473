import { type Context, UsageError } from "../framework/command.ts";
import { linesOf } from "../framework/io.ts";

/** Says what is about to happen and asks for a `yes`, unless --yes was given. False: nothing is to be done. */
export async function confirmed({ io, flags }: Context, explanation: string): Promise<boolean> {
  io.err(explanation.trimEnd());
  if (flags.boolean("yes")) return true;
  if (!io.stdinIsTerminal) {
    throw new UsageError("there is no terminal to ask on: say --yes if that is what is to be done");
  }
  io.err('Type "yes" to go on:');
  for await (const line of linesOf(io.stdin())) {
    if (new TextDecoder().decode(line).trim() === "yes") return true;
    break;
  }
  io.err("nothing was done");
  return false;
}
