import { ensureDirSync, existsSync } from "@std/fs";
import { resolve } from "node:path";
import { javaCommand } from "./zk_java.ts";
import { poll } from "./zk_process.ts";
import { type ServerMode, ZooKeeperServer } from "./zk_server.ts";

const QUORUM_MS = 30_000;

export interface EnsembleShape {
  /** Number of servers; 1 runs alone. */
  readonly nodes: number;
  /** Client port of the first; the others are 100, 200, ... above. */
  readonly basePort: number;
}

/** The user asked for something that cannot be; the message says what to do. */
export class EnsembleError extends Error {
  override name = "EnsembleError";
}

/** The servers below one folder: `1/`, `2/`, ... with configuration, data, log and process, and `ensemble.json`. */
export class Ensemble {
  readonly servers: readonly ZooKeeperServer[];

  private constructor(readonly folder: string, readonly shape: EnsembleShape) {
    this.servers = Array.from(
      { length: shape.nodes },
      (_, i) => new ZooKeeperServer(i + 1, `${folder}/${i + 1}`, shape.basePort + 100 * i),
    );
  }

  /** The ensemble that was made in this folder, or undefined. */
  static find(folder: string): Ensemble | undefined {
    const path = resolve(folder);
    const file = `${path}/ensemble.json`;
    if (!existsSync(file)) return undefined;
    return new Ensemble(path, JSON.parse(Deno.readTextFileSync(file)) as EnsembleShape);
  }

  /** Finds it, or makes it with this shape; what `shape` leaves open is as it was, or 3 servers from port 2181. */
  static findOrMake(folder: string, shape: Partial<EnsembleShape>): Ensemble {
    const found = Ensemble.find(folder);
    if (found) {
      expectSame(folder, "nodes", found.shape.nodes, shape.nodes);
      expectSame(folder, "base-port", found.shape.basePort, shape.basePort);
      return found;
    }
    return new Ensemble(resolve(folder), { nodes: shape.nodes ?? 3, basePort: shape.basePort ?? 2181 });
  }

  /** What clients connect to: `127.0.0.1:2181,127.0.0.1:2281,127.0.0.1:2381` */
  get addresses(): string {
    return this.servers.map((server) => server.address).join(",");
  }

  server(id: number): ZooKeeperServer {
    const server = this.servers[id - 1];
    if (server === undefined) {
      throw new EnsembleError(`there is no server ${id}, only 1 to ${this.servers.length}`);
    }
    return server;
  }

  /** Starts the servers that do not run, or only those named, and waits until they all serve. */
  async start(ids: readonly number[] = this.servers.map(({ id }) => id)): Promise<void> {
    const wanted = ids.map((id) => this.server(id));
    for (const server of wanted) if (!server.process) this.#expectFree(server);
    ensureDirSync(this.folder);
    Deno.writeTextFileSync(`${this.folder}/ensemble.json`, JSON.stringify(this.shape) + "\n");
    for (const server of wanted) server.start(await javaCommand(server.folder), this.servers);
    const ready = await poll(QUORUM_MS, async () => {
      for (const server of wanted) {
        if (!server.process) throw new EnsembleError(`server ${server.id} ended:\n${server.logTail()}`);
      }
      const modes = await Promise.all(wanted.map((server) => server.mode()));
      return modes.every((mode) => mode !== undefined);
    });
    if (!ready) {
      const why = wanted.map((server) => `${server.id}: ${server.logTail()}`).join("\n");
      throw new EnsembleError(`no quorum within ${QUORUM_MS / 1000} s; the servers' logs end with\n${why}`);
    }
  }

  /** Ends what {@link start} started, here or in another process, and nothing else. */
  async stop(): Promise<void> {
    await Promise.all(this.servers.map((server) => server.stop()));
  }

  modes(): Promise<ServerMode[]> {
    return Promise.all(this.servers.map((server) => server.mode()));
  }

  /** Number of the server that leads, or runs alone; undefined: there is no quorum. */
  async leader(): Promise<number | undefined> {
    const place = (await this.modes()).findIndex((mode) => mode === "leader" || mode === "standalone");
    return place < 0 ? undefined : place + 1;
  }

  #expectFree(server: ZooKeeperServer): void {
    const taken = server.ports.find((port) => !isFree(port));
    if (taken === undefined) return;
    throw new EnsembleError(
      `port ${taken} of server ${server.id} is taken by another process; choose others with --base-port and --dir`,
    );
  }
}

export function isFree(port: number): boolean {
  try {
    Deno.listen({ hostname: "127.0.0.1", port }).close();
    return true;
  } catch (error) {
    if (error instanceof Deno.errors.AddrInUse) return false;
    throw error;
  }
}

function expectSame(folder: string, flag: string, found: number, asked: number | undefined): void {
  if (asked === undefined || asked === found) return;
  throw new EnsembleError(
    `${folder} holds an ensemble with --${flag} ${found}, not ${asked}; choose another folder with --dir`,
  );
}
