import { ensureDirSync, existsSync } from "@std/fs";
import type { JavaCommand } from "./zk_java.ts";
import { isAlive, poll, type ProcessIdentity, signal, startDetached } from "./zk_process.ts";

/** What a server says of itself: `leader`, `follower`, `standalone`; undefined when it does not serve. */
export type ServerMode = "leader" | "follower" | "standalone" | undefined;

/** The time that one question to a server may take: a frozen one never answers. */
const ASK_MS = 1000;
const STOP_MS = 10_000;

/** One server of an ensemble: its folder, ports and process. */
export class ZooKeeperServer {
  constructor(
    readonly id: number,
    readonly folder: string,
    readonly clientPort: number,
    readonly host = "127.0.0.1",
  ) {}

  get address(): string {
    return `${this.host}:${this.clientPort}`;
  }

  /** For clients, for followers, for elections. */
  get ports(): readonly number[] {
    return [this.clientPort, this.clientPort + 1, this.clientPort + 2];
  }

  get logPath(): string {
    return `${this.folder}/log`;
  }

  /** The process that was started last, if it lives. */
  get process(): ProcessIdentity | undefined {
    const path = `${this.folder}/pid`;
    if (!existsSync(path)) return undefined;
    const [pid, startTicks] = Deno.readTextFileSync(path).trim().split(" ").map(Number);
    const identity = { pid: pid ?? -1, startTicks: startTicks ?? -1 };
    return isAlive(identity) ? identity : undefined;
  }

  /** Writes the configuration and starts the process, unless it lives; does not wait until it serves. */
  start(command: JavaCommand, peers: readonly ZooKeeperServer[]): void {
    if (this.process) return;
    ensureDirSync(`${this.folder}/data`);
    Deno.writeTextFileSync(`${this.folder}/data/myid`, `${this.id}\n`);
    Deno.writeTextFileSync(`${this.folder}/zoo.cfg`, this.#configuration(peers));
    const identity = startDetached(command.java, [...command.args, `${this.folder}/zoo.cfg`], this.logPath);
    Deno.writeTextFileSync(`${this.folder}/pid`, `${identity.pid} ${identity.startTicks}\n`);
  }

  signal(name: Deno.Signal): void {
    const identity = this.process;
    if (identity) signal(identity, name);
  }

  /** Resolves when the process is gone; a frozen one is thawed, one that does not end in time is killed. */
  async stop(how: "SIGTERM" | "SIGKILL" = "SIGTERM"): Promise<void> {
    const identity = this.process;
    if (identity === undefined) return;
    signal(identity, how);
    signal(identity, "SIGCONT");
    if (await poll(STOP_MS, () => !isAlive(identity))) return;
    signal(identity, "SIGKILL");
    if (!(await poll(STOP_MS, () => !isAlive(identity)))) {
      throw new Error(`ZooKeeper server ${this.id}, process ${identity.pid}, does not end`);
    }
  }

  async mode(): Promise<ServerMode> {
    return /^Mode: (leader|follower|standalone)$/m.exec(await this.#srvr())?.[1] as ServerMode;
  }

  /** Answer to ZooKeeper's four-letter word srvr; "" when there is none. */
  async #srvr(): Promise<string> {
    let connection: Deno.TcpConn | undefined;
    let limit: ReturnType<typeof setTimeout> | undefined;
    try {
      connection = await Deno.connect({ hostname: this.host, port: this.clientPort });
      const open = connection;
      limit = setTimeout(() => open.close(), ASK_MS);
      await open.write(new TextEncoder().encode("srvr"));
      return await new Response(open.readable).text();
    } catch {
      return "";
    } finally {
      clearTimeout(limit);
      closeQuietly(connection);
    }
  }

  /** The end of the log, for an error message. */
  logTail(): string {
    if (!existsSync(this.logPath)) return "(no log)";
    return Deno.readTextFileSync(this.logPath).trimEnd().split("\n").slice(-5).join("\n");
  }

  #configuration(peers: readonly ZooKeeperServer[]): string {
    const members = peers.map(({ id, host, ports }) => `server.${id}=${host}:${ports[1]}:${ports[2]}`);
    return [
      // Sessions of 2 to 20 ticks: 1 to 10 s. Limits are in ticks: 10 s to join, 2 s to fall behind.
      "tickTime=500",
      "initLimit=20",
      "syncLimit=4",
      `dataDir=${this.folder}/data`,
      `clientPort=${this.clientPort}`,
      `clientPortAddress=${this.host}`,
      "quorumListenOnAllIPs=false",
      "admin.enableServer=false",
      "4lw.commands.whitelist=srvr,ruok,mntr",
      "maxClientCnxns=1000",
      "autopurge.snapRetainCount=3",
      "autopurge.purgeInterval=1",
      ...(peers.length > 1 ? members : []),
      "",
    ].join("\n");
  }
}

function closeQuietly(connection: Deno.TcpConn | undefined): void {
  try {
    connection?.close();
  } catch {
    // Closed already, by the time limit or by reading to the end.
  }
}
