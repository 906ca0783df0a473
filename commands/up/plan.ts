/** From the flags of `kv up` to what is to run. Everything that can be checked is checked here, before anything starts. */

import { KvError } from "../../core/platform/errors.ts";
import type { NodeRole } from "../../core/cluster/role.ts";
import type { Config } from "../../core/platform/config.ts";
import type { Context, FlagValues } from "../framework/command.ts";
import type { Io } from "../framework/io.ts";
import { refuseTyped } from "../framework/misplaced.ts";
import type { NodePlan, Plan } from "./cluster.ts";
import { isFree, masterAddresses } from "./ports.ts";

/** Settings of ZooKeeper. In cfg.yaml they may stand all the same: other commands read it, too. */
const ZOOKEEPER_FLAGS = ["zk", "root", "session-timeout-ms", "call-timeout-ms"];

/**
 * What can be told from the flags alone.
 *
 * @throws UsageError, KvError
 */
export function checkFlags({ flags, config, typed }: Context): void {
  if (!flags.boolean("zookeeper")) {
    refuseTyped(
      typed,
      ZOOKEEPER_FLAGS,
      (flag) => `${flag} means nothing without --zookeeper: add that, or leave it out`,
    );
  }
  const nodes = Number(flags.required("data"));
  if (nodes <= config.msn) return;
  throw new KvError(
    "invalid",
    `--data ${nodes} is more than the ring has seats, msn ${config.msn}: give at most --data ${config.msn}, ` +
      "or a new cluster a larger --msn",
  );
}

/** Everything is kept below it. */
export function folderOf(flags: FlagValues): string {
  return flags.required("dir").replace(/(?<=.)\/+$/, "");
}

/** @throws KvError */
export function planOf({ io, flags, config, typed }: Context): Plan {
  const folder = folderOf(flags);
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

/**
 * Every node may hold slots that no other has: to leave one out would make its keys unavailable. New ones get numbers
 * above all that are there: a number that is missing is that of a node that has left.
 */
function nodesOf(
  role: NodeRole,
  prefix: string,
  wanted: number,
  folder: string,
  io: Io,
): (NodePlan & { readonly isNew: boolean })[] {
  const there = numbersIn(folder, prefix);
  if (there.length > wanted) {
    io.err(
      `${folder} has ${there.length} ${role === "data" ? "data nodes" : "standbys"}: starting all of them`,
    );
  }
  const highest = Math.max(0, ...there);
  const added = Array.from({ length: Math.max(0, wanted - there.length) }, (_, i) => highest + 1 + i);
  return [...there, ...added].map((number) => {
    const name = `${prefix}${number}`;
    return { name, role, folder: `${folder}/${name}`, isNew: number > highest };
  });
}

/** Ascending. */
function numbersIn(folder: string, prefix: string): number[] {
  const pattern = new RegExp(`^${prefix}([1-9]\\d*)$`);
  try {
    const names = Array.from(Deno.readDirSync(folder), ({ name }) => pattern.exec(name)?.[1]);
    return names.filter((number) => number !== undefined).map(Number).sort((a, b) => a - b);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return [];
    throw error;
  }
}

/** Messages that only say that all is well would stand between the lines of the shell. */
function withoutChatter(config: Config): Config {
  return config.logLevel === "info" ? { ...config, logLevel: "warn" } : config;
}
