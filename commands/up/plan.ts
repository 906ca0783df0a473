/** From the flags of `kv up` to what is to run. Everything that can be checked is checked here, before anything starts. */

import type { NodeRole } from "../../core/cluster/role.ts";
import type { Config } from "../../core/platform/config.ts";
import type { Context } from "../framework/command.ts";
import type { Io } from "../framework/io.ts";
import type { NodePlan, Plan } from "./cluster.ts";
import { isFree, masterAddresses } from "./ports.ts";

/** @throws KvError */
export function planOf({ io, flags, config, typed }: Context): Plan {
  const folder = flags.required("dir").replace(/(?<=.)\/+$/, "");
  const nodes = [
    ...nodesOf("data", "data", Number(flags.required("data")), folder, io),
    ...nodesOf("standby", "sb", Number(flags.required("standbys")), folder, io),
  ];
  return {
    masters: masterAddresses(
      flags.required("addr"),
      Number(flags.required("masters")),
      flags.boolean("auto-port"),
      isFree,
    ),
    present: nodes.filter(({ isNew }) => !isNew),
    fresh: nodes.filter(({ isNew }) => isNew),
    folder,
    config: io.stdinIsTerminal && typed["log-level"] === undefined ? withoutChatter(config) : config,
    typed,
    io,
  };
}

/** Every node may hold slots that no other has: to leave one out would make its keys unavailable. */
function nodesOf(
  role: NodeRole,
  prefix: string,
  wanted: number,
  folder: string,
  io: Io,
): (NodePlan & { readonly isNew: boolean })[] {
  const there = numbersIn(folder, prefix);
  const highest = Math.max(0, ...there);
  if (highest > wanted) {
    io.err(`${folder} has ${highest} ${role === "data" ? "data nodes" : "standbys"}: starting all of them`);
  }
  return Array.from({ length: Math.max(wanted, highest) }, (_, i) => {
    const name = `${prefix}${i + 1}`;
    return { name, role, folder: `${folder}/${name}`, isNew: !there.includes(i + 1) };
  });
}

function numbersIn(folder: string, prefix: string): number[] {
  const pattern = new RegExp(`^${prefix}([1-9]\\d*)$`);
  try {
    const names = Array.from(Deno.readDirSync(folder), ({ name }) => pattern.exec(name)?.[1]);
    return names.filter((number) => number !== undefined).map(Number);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return [];
    throw error;
  }
}

/** Messages that only say that all is well would stand between the lines of the shell. */
function withoutChatter(config: Config): Config {
  return config.logLevel === "info" ? { ...config, logLevel: "warn" } : config;
}
