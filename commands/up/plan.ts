/** From the flags of `kv up` to what is to run. Everything that can be checked is checked here, before anything starts. */

import type { Config } from "../../core/platform/config.ts";
import type { Context } from "../framework/command.ts";
import type { Plan } from "./cluster.ts";
import { isFree, masterAddresses } from "./ports.ts";

/** @throws KvError */
export function planOf({ io, flags, config, typed }: Context): Plan {
  const folder = flags.required("dir").replace(/(?<=.)\/+$/, "");
  const wanted = Number(flags.required("data"));
  const present = dataNodesIn(folder);
  if (present > wanted) io.err(`${folder} has ${present} data nodes: starting all of them`);
  return {
    masters: masterAddresses(
      flags.required("addr"),
      Number(flags.required("masters")),
      flags.boolean("auto-port"),
      isFree,
    ),
    dataFolders: Array.from({ length: Math.max(wanted, present) }, (_, i) => `${folder}/data${i + 1}`),
    folder,
    config: io.stdinIsTerminal && typed["log-level"] === undefined ? withoutChatter(config) : config,
    typed,
    io,
  };
}

/** Every node holds slots that no other has: to leave one out would make its keys unavailable. */
function dataNodesIn(folder: string): number {
  try {
    const names = Array.from(Deno.readDirSync(folder), ({ name }) => /^data([1-9]\d*)$/.exec(name)?.[1]);
    return Math.max(0, ...names.map((number) => Number(number ?? 0)));
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return 0;
    throw error;
  }
}

/** Messages that only say that all is well would stand between the lines of the shell. */
function withoutChatter(config: Config): Config {
  return config.logLevel === "info" ? { ...config, logLevel: "warn" } : config;
}
