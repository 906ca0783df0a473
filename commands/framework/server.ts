/** Running a server in the foreground. */

import type { Master } from "../../core/cluster/master.ts";
import type { Coordinator } from "../../core/coordination/coordinator.ts";
import type { Config } from "../../core/platform/config.ts";
import type { World } from "../../core/platform/ports.ts";
import { ExitCode, exitCodeOf } from "./exit_code.ts";
import type { Context } from "./command.ts";
import type { Io } from "./io.ts";
import { stopSignal } from "./signals.ts";

/** What `Master` and `DataNode` have in common. */
export interface Server {
  start(): Promise<void>;
  /** Resolves when it has ended, with the reason if nobody asked for it. */
  readonly stopped: Promise<Error | undefined>;
  stop(): Promise<void>;
  /** Hands over what it has to others, then stops. */
  leave?(): Promise<void>;
}

/**
 * Starts the server and runs it until a signal, or until it ends by itself; `started` prints what there is to say.
 * SIGINT and SIGTERM let it leave the cluster first where it can; SIGHUP stops it as it is, to be started again,
 * and so does the end of standard input with --end-with-stdin. Resolves with the exit code, rejects when it cannot start.
 */
export async function serve(
  server: Server,
  { io, flags }: Pick<Context, "io" | "flags">,
  started: () => void,
): Promise<number> {
  const signals = stopSignal(io, ["SIGINT", "SIGTERM", "SIGHUP"]);
  const signal = flags.boolean("end-with-stdin") ? Promise.race([signals, endOfInput(io)]) : signals;
  const running = server.start().then(() => {
    started();
    return server.stopped;
  });
  // Rejects when the start fails, but not when it fails because a signal came first.
  const ended = await Promise.race([signal, running]);
  running.catch(() => {});
  const error = typeof ended === "string" ? undefined : ended;
  if (typeof ended === "string" && ended !== "SIGHUP") await server.leave?.();
  await server.stop();
  if (error === undefined) return ExitCode.done;
  io.err(`kv: ${error.message}`);
  return exitCodeOf(error);
}

/** Whoever started us has gone, or wants us to go: the same to us as when a terminal is closed. */
async function endOfInput(io: Io): Promise<"SIGHUP"> {
  try {
    for await (const _ of io.stdin());
  } catch {
    // Cannot be read any more: that is an end, too.
  }
  io.err("stopping: standard input has ended");
  return "SIGHUP";
}

/** Prints `waiting master ADDR` for a master that has just started, and `ready master ADDR` when it has become active. */
export function announceMaster(master: Master, io: Io): void {
  io.out(`waiting master ${master.address}\n`);
  const ready = () => io.out(`ready master ${master.address}\n`);
  if (master.active) ready();
  master.onActive(ready);
}

/** The ZooKeeper ensemble that the settings name. */
export async function zookeeper(config: Config, { clock, random, log }: World): Promise<Coordinator> {
  const { zookeeperCoordinator } = await import("../../core/coordination/zookeeper.ts");
  return zookeeperCoordinator({
    servers: config.zk,
    sessionTimeoutMs: config.sessionTimeoutMs,
    callTimeoutMs: config.callTimeoutMs,
    connectTimeoutMs: config.callTimeoutMs,
    clock,
    random,
    log,
  });
}
