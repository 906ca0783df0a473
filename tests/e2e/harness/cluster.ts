import { KvProcess } from "./process.ts";

export interface ClusterOptions {
  /** The addresses of the ZooKeeper ensemble, separated by commas. */
  readonly zk: string;
  /** A folder for the data, made and removed by the caller. */
  readonly folder: string;
  readonly masters?: number;
  readonly data?: number;
}

/** A server of the cluster: what is needed to start it again. */
export interface Server {
  process: KvProcess;
  /** The address printed when it last served. */
  address: string;
  readonly args: readonly string[];
}

/** Masters and data nodes as separate processes on a real ensemble, below a root of their own. */
export class Cluster implements AsyncDisposable {
  readonly masters: Server[] = [];
  readonly dataNodes: Server[] = [];
  readonly root = `/e2e-${crypto.randomUUID()}`;

  private constructor(private readonly options: ClusterOptions) {}

  /** Starts the masters, then the data nodes one after the other, so that their labels are known: 0, 68, 102 ... */
  static async start(options: ClusterOptions): Promise<Cluster> {
    const cluster = new Cluster(options);
    try {
      for (let i = 0; i < (options.masters ?? 2); i++) await cluster.addMaster();
      for (let i = 0; i < (options.data ?? 3); i++) await cluster.addData();
      return cluster;
    } catch (error) {
      await cluster[Symbol.asyncDispose]();
      throw error;
    }
  }

  get masterAddresses(): string[] {
    return this.masters.map(({ address }) => address);
  }

  /** The first one becomes active, the others wait. */
  async addMaster(): Promise<Server> {
    const process = this.#spawn(["master", "--addr", "127.0.0.1:"]);
    const server: Server = { process, address: "", args: [] };
    this.masters.push(server);
    server.address = (await process.line(/^(?:waiting|ready) master (\S+)$/))[1]!;
    const first = this.masters.length === 1;
    if (first) await process.ready("master");
    // Started again, a master has the address that clients know.
    return Object.assign(server, { args: ["master", "--addr", server.address] });
  }

  async addData(): Promise<Server> {
    const args = [
      "data",
      "--addr",
      "127.0.0.1:",
      "--data",
      `${this.options.folder}/data${this.dataNodes.length}`,
    ];
    const server: Server = { process: this.#spawn(args), address: "", args };
    this.dataNodes.push(server);
    server.address = await server.process.ready("data");
    return server;
  }

  /** Starts killed servers again, on their folders: masters at their old addresses, data nodes at new ones. */
  async restart(...servers: Server[]): Promise<void> {
    for (const server of servers) server.process = this.#spawn(server.args);
    for (const server of servers) {
      const line = await server.process.line(/^(?:ready data|(?:ready|waiting) master) (\S+)$/);
      server.address = line[1]!;
    }
  }

  /** A data node on a new folder whose fate is the caller's to watch. */
  spawnData(name: string): KvProcess {
    return this.#spawn(["data", "--addr", "127.0.0.1:", "--data", `${this.options.folder}/${name}`]);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([...this.masters, ...this.dataNodes].map(({ process }) => process.kill()));
  }

  #spawn(args: readonly string[]): KvProcess {
    return new KvProcess([...args, "--zk", this.options.zk, "--root", this.root]);
  }
}
