import type { Host, Network } from "./network.ts";
import type { KvProcess } from "./process.ts";
import { type Kind, Server } from "./server.ts";

export interface ClusterOptions {
  /** The addresses of the ZooKeeper ensemble, separated by commas. */
  readonly zk: string;
  /** A folder for the data, made and removed by the caller. */
  readonly folder: string;
  readonly masters?: number;
  readonly data?: number;
  readonly standbys?: number;
  /** Flags of data nodes and standbys. */
  readonly nodeFlags?: readonly string[];
  /** Gives each server a host of its own, named as the server; without it all are on this machine. */
  readonly network?: Network;
}

/** Masters, data nodes and standbys as separate processes on a real ensemble, below a root of their own. */
export class Cluster implements AsyncDisposable {
  readonly masters: Server[] = [];
  readonly dataNodes: Server[] = [];
  readonly standbys: Server[] = [];
  /** Data nodes that have left in order and may come back. */
  readonly retired: Server[] = [];
  readonly root = `/e2e-${crypto.randomUUID()}`;

  private constructor(private readonly options: ClusterOptions) {}

  /** Starts the masters, then the data nodes one after the other, so that their labels are known: 0, 68, 102 ... */
  static async start(options: ClusterOptions): Promise<Cluster> {
    const cluster = new Cluster(options);
    try {
      for (let i = 0; i < (options.masters ?? 2); i++) await cluster.addMaster();
      for (let i = 0; i < (options.data ?? 3); i++) await cluster.addData();
      for (let i = 0; i < (options.standbys ?? 0); i++) await cluster.addStandby();
      return cluster;
    } catch (error) {
      await cluster[Symbol.asyncDispose]();
      throw error;
    }
  }

  get masterAddresses(): string[] {
    return this.masters.map(({ address }) => address);
  }

  /** Whatever holds copies, as it was started: any of them may be a data node or a standby by now. */
  get nodes(): Server[] {
    return [...this.dataNodes, ...this.standbys];
  }

  /** The first one becomes active, the others wait. */
  async addMaster(): Promise<Server> {
    const server = this.#add(this.masters, "master");
    await server.serving();
    const first = this.masters.length === 1;
    if (first) await server.process.ready("master");
    // Started again, a master has the address that clients know.
    server.listen = server.address;
    return server;
  }

  async addData(): Promise<Server> {
    const server = this.startData();
    await server.serving();
    return server;
  }

  /** As {@link addData}, without waiting. */
  startData(): Server {
    return this.#add(this.dataNodes, "data");
  }

  async addStandby(): Promise<Server> {
    const server = this.#add(this.standbys, "standby");
    await server.serving();
    return server;
  }

  /** Starts killed servers again, on their folders: masters at their old addresses, data nodes at new ones. */
  async restart(...servers: Server[]): Promise<void> {
    for (const server of servers) server.startAgain();
    for (const server of servers) await server.serving();
  }

  /** Starts a killed server again as a standby on an empty folder: its host has lost its disk, so to say. */
  restartEmpty(server: Server): void {
    server.kind = "standby";
    server.folder = this.#newFolder(server.name);
    server.startAgain();
  }

  /** Strikes a node off that has left and ended. */
  retire(server: Server): void {
    for (const list of [this.dataNodes, this.standbys]) {
      const place = list.indexOf(server);
      if (place >= 0) list.splice(place, 1);
    }
    this.retired.push(server);
  }

  /** Starts the node that has retired last again, as a data node on its folder, without waiting. */
  bringBack(): Server {
    const server = this.retired.pop()!;
    server.kind = "data";
    this.dataNodes.push(server);
    server.startAgain();
    return server;
  }

  /** A data node on a new folder whose fate is the caller's to watch. */
  spawnData(name: string): KvProcess {
    return new Server(name, "data", undefined, `${this.options.folder}/${name}`, this.#common).process;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([...this.masters, ...this.nodes].map(({ process }) => process.kill()));
  }

  get #common(): readonly string[] {
    return ["--zk", this.options.zk, "--root", this.root];
  }

  #add(list: Server[], kind: Kind): Server {
    const name = `${kind}${this.#made[kind]++}`;
    const host: Host | undefined = this.options.network?.addHost(name);
    const folder = kind === "master" ? undefined : this.#newFolder(name);
    const flags = kind === "master" ? [] : this.options.nodeFlags ?? [];
    const server = new Server(name, kind, host, folder, [...this.#common, ...flags]);
    list.push(server);
    return server;
  }

  #newFolder(name: string): string {
    return `${this.options.folder}/${name}-${this.#folders++}`;
  }

  readonly #made: Record<Kind, number> = { master: 0, data: 0, standby: 0 };
  #folders = 0;
}
