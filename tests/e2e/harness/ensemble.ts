import { Ensemble as Servers, isFree } from "../../../scripts/zk_ensemble.ts";
import { javaCommand } from "../../../scripts/zk_java.ts";

/** A real ZooKeeper ensemble on free ports, beside whatever else runs on the machine. */
export class Ensemble implements AsyncDisposable {
  private constructor(private readonly servers: Servers) {}

  /** Its data go into `folder`, which the caller removes. */
  static async start(folder: string, nodes = 3): Promise<Ensemble> {
    const servers = Servers.findOrMake(`${folder}/zk`, { nodes, basePort: freeBasePort(nodes) });
    const ensemble = new Ensemble(servers);
    try {
      await servers.start();
      return ensemble;
    } catch (error) {
      await servers.stop();
      throw error;
    }
  }

  /** As the setting `zk` wants them. */
  get addresses(): string {
    return this.servers.addresses;
  }

  stop(): Promise<void> {
    return this.servers.stop();
  }

  startAgain(): Promise<void> {
    return this.servers.start();
  }

  /** The text of a znode, read with ZooKeeper's own command-line client. */
  async read(path: string): Promise<string> {
    const { java, args } = await javaCommand(this.servers.folder);
    const classPath = args[args.indexOf("-cp") + 1]!;
    const main = "org.apache.zookeeper.ZooKeeperMain";
    const command = new Deno.Command(java, {
      args: [
        "-cp",
        classPath,
        "-Dorg.slf4j.simpleLogger.defaultLogLevel=off",
        main,
        "-server",
        this.addresses,
        "get",
        path,
      ],
    });
    const { code, stdout, stderr } = await command.output();
    const text = new TextDecoder().decode(stdout).trimEnd();
    if (code !== 0) throw new Error(`cannot read ${path}: ${text}\n${new TextDecoder().decode(stderr)}`);
    // The client's own messages come first.
    return text.slice(text.lastIndexOf("\n") + 1);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.servers.stop();
  }
}

/** A random one, well away from ZooKeeper's usual ports, so that runs side by side do not meet. */
function freeBasePort(nodes: number): number {
  while (true) {
    const base = 20_000 + 10 * Math.floor(Math.random() * 1000);
    const ports = Array.from({ length: nodes }, (_, i) => [0, 1, 2].map((offset) => base + 100 * i + offset))
      .flat();
    if (ports.every(isFree)) return base;
  }
}
