import { parseArgs } from "@std/cli";
import { Ensemble, EnsembleError, type EnsembleShape } from "./zk_ensemble.ts";
import { MissingError } from "./zk_java.ts";

const HELP = `A ZooKeeper ensemble on this machine.

usage: scripts/zk start|stop|restart|status [--nodes N] [--base-port P] [--dir DIR]

  start     writes the configuration, starts the servers, waits until they serve
  stop      ends the servers that start has started; exit code 3 when none were ever started in DIR
  restart   stop, then start
  status    prints what each server does; exit code 3 when there is no quorum

  --nodes N      number of servers, 1 to 9 (default 3)
  --base-port P  client port of the first; P+100, P+200, ... of the others; each also takes the two ports
                 after its own (default 2181)
  --dir DIR      folder of the servers' data (default zk-data)

example: scripts/zk start --base-port 3181 --dir /tmp/second-ensemble
`;

class UsageError extends Error {
  override name = "UsageError";
}

interface Arguments extends Partial<EnsembleShape> {
  readonly command: string;
  readonly dir: string;
}

async function main(args: string[]): Promise<number> {
  if (args.includes("--help") || args[0] === "help") {
    console.log(HELP);
    return 0;
  }
  const { command, dir, ...shape } = parse(args);
  switch (command) {
    case "start":
      return await start(Ensemble.findOrMake(dir, shape));
    case "stop":
      return await stop(dir);
    case "restart":
      await Ensemble.find(dir)?.stop();
      return await start(Ensemble.findOrMake(dir, shape));
    case "status":
      return await status(dir);
  }
  throw new UsageError(`"${command}" is none of start, stop, restart, status`);
}

async function start(ensemble: Ensemble): Promise<number> {
  await ensemble.start();
  console.log(ensemble.addresses);
  console.log(`server ${await ensemble.leader()} leads`);
  return 0;
}

async function stop(dir: string): Promise<number> {
  const ensemble = Ensemble.find(dir);
  if (ensemble === undefined) return missing(dir);
  await ensemble.stop();
  console.log("stopped");
  return 0;
}

async function status(dir: string): Promise<number> {
  const ensemble = Ensemble.find(dir);
  if (ensemble === undefined) return missing(dir);
  const modes = await ensemble.modes();
  for (const server of ensemble.servers) {
    const pid = server.process?.pid;
    const running = pid === undefined ? "not running" : `does not serve, process ${pid}`;
    console.log(`${server.id} ${server.address} ${modes[server.id - 1] ?? running}`);
  }
  return modes.some((mode) => mode === "leader" || mode === "standalone") ? 0 : 3;
}

function missing(dir: string): number {
  console.log(`no ensemble in ${dir}: name the folder that it was started with by --dir`);
  return 3;
}

function parse(args: string[]): Arguments {
  const flags = parseArgs(args, {
    string: ["nodes", "base-port", "dir"],
    unknown: (argument, key) => {
      if (key !== undefined) throw new UsageError(`${argument} is no flag`);
    },
  });
  const [command, ...rest] = flags._.map(String);
  if (command === undefined || rest.length > 0) throw new UsageError("one command is wanted");
  const nodes = integer(flags, "nodes", 1, 9);
  const basePort = integer(flags, "base-port", 1024, 64_000);
  return {
    command,
    dir: typeof flags.dir === "string" && flags.dir !== "" ? flags.dir : "zk-data",
    ...(nodes === undefined ? {} : { nodes }),
    ...(basePort === undefined ? {} : { basePort }),
  };
}

function integer(
  flags: Record<string, unknown>,
  name: string,
  least: number,
  most: number,
): number | undefined {
  const text = flags[name];
  if (text === undefined) return undefined;
  const value = Number(text);
  if (Number.isInteger(value) && value >= least && value <= most && text !== "") return value;
  throw new UsageError(`--${name} is "${text}", not a whole number from ${least} to ${most}`);
}

try {
  Deno.exitCode = await main(Deno.args);
} catch (error) {
  const usage = error instanceof UsageError;
  if (!usage && !(error instanceof EnsembleError) && !(error instanceof MissingError)) throw error;
  console.error(`zk: ${error.message}${usage ? "\n\n" + HELP : ""}`);
  Deno.exitCode = usage ? 2 : 6;
}
