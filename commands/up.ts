import type { Client } from "../core/client/api.ts";
import { clientFlags, type Command, type Context, type Flag } from "./framework/command.ts";
import { ExitCode } from "./framework/exit_code.ts";
import type { Io } from "./framework/io.ts";
import { stopSignal } from "./framework/signals.ts";
import { type Cluster, Started } from "./up/cluster.ts";
import { holdFolder } from "./up/folder.ts";
import { checkFlags, folderOf, planOf } from "./up/plan.ts";
import { howToReach } from "./up/reach.ts";

const count = (name: string, what: string, min = 1): Flag => ({
  name,
  kind: "integer",
  min,
  max: 100,
  default: "2",
  placeholder: "N",
  description: `how many ${what}`,
});

export const command: Command = {
  usage: "up [flags]",
  description:
    `Opens a cluster on this machine, all in one process, and keeps its data in a folder for the next time. At a terminal the
shell opens when the cluster is ready, and leaving it stops the cluster; otherwise it runs until SIGINT, SIGTERM or SIGHUP.
With --zookeeper each role is a process of its own, on a ZooKeeper ensemble. One that is the default and does not run is
started in FOLDER/zookeeper by scripts/zk, which needs Java and ZooKeeper; bin/kv has no scripts/zk, and wants one that
runs. All end with kv up; but when that is killed, ZooKeeper stays (scripts/zk stop --dir FOLDER/zookeeper).
All data nodes and standbys that the folder has are started, even when the flags say fewer.`,
  examples: ["kv up", "kv up --data 3 --dir /var/tmp/kv --addr :7000 --auto-port", "kv up --zookeeper"],
  arity: [0, 0],
  flags: [
    ...clientFlags.map((flag) =>
      flag.name === "addr"
        ? {
          ...flag,
          placeholder: "ADDR",
          description: "where the first master listens; the others on the ports after it",
        }
        : flag
    ),
    count("masters", "masters; one is active, the others wait"),
    count("data", "data nodes, each on a free port"),
    count("standbys", "standbys, which take over when a data node dies; each on a free port", 0),
    {
      name: "dir",
      kind: "text",
      placeholder: "FOLDER",
      default: "kv-data",
      description: "where everything is kept",
    },
    {
      name: "zookeeper",
      kind: "boolean",
      description:
        "a process for each role, on ZooKeeper; without it --zk, --root, --session-timeout-ms and --call-timeout-ms are refused",
    },
    { name: "auto-port", kind: "boolean", description: "take the next free ports where ports are taken" },
  ],
  async run(context) {
    checkFlags(context);
    const release = holdFolder(folderOf(context.flags));
    try {
      return await open(context);
    } finally {
      release();
    }
  },
};

/** Resolves with the exit code when the cluster has been stopped again. */
async function open(context: Context): Promise<number> {
  const { io, flags } = context;
  const plan = planOf(context);
  // The terminal may be closed, too.
  const signal = stopSignal(io, ["SIGINT", "SIGTERM", "SIGHUP"]);
  const started = new Started();
  const starting = flags.boolean("zookeeper")
    ? import("./up/processes.ts").then(({ startProcesses }) => startProcesses(plan, started))
    : import("./up/in_process.ts").then(({ startInProcess }) => startInProcess(plan, started));
  try {
    const cluster = await Promise.race([starting, signal]);
    return typeof cluster === "string" ? ExitCode.done : await run(context, cluster, signal);
  } finally {
    await started.stop();
  }
}

/** Resolves with the exit code when the cluster is to stop. */
async function run({ io, connect }: Context, cluster: Cluster, signal: Promise<unknown>): Promise<number> {
  io.err(howToReach(cluster.masters));
  const client = io.stdinIsTerminal ? await connect(cluster.masters.join(",")) : undefined;
  const ended = await Promise.race([
    signal.then(() => ExitCode.done),
    cluster.failed,
    ...(client === undefined ? [] : [shell(client, io)]),
  ]);
  client?.close();
  if (ended instanceof Error) throw ended;
  return ended;
}

async function shell(client: Client, io: Io): Promise<number> {
  const { runShell } = await import("./shell/session.ts");
  return await runShell(client, io);
}
