import { javaCommand } from "../../../scripts/zk_java.ts";
import { ZooKeeperServer } from "../../../scripts/zk_server.ts";
import { eventually } from "./eventually.ts";
import type { Host, Network } from "./network.ts";

const CLIENT_PORT = 2181;

/** One ZooKeeper server on its host. */
export class ZooKeeper {
  constructor(readonly host: Host, readonly server: ZooKeeperServer) {}

  get name(): string {
    return this.host.name;
  }

  /** Waits until it leads or follows: there is a quorum, and it belongs to it. */
  async serving(): Promise<void> {
    await eventually(`${this.name} serves`, () => this.server.mode());
  }
}

/** A ZooKeeper ensemble, each server on a host of its own. */
export class ZooKeepers implements AsyncDisposable {
  private constructor(readonly members: readonly ZooKeeper[]) {}

  /** The servers' data go into `folder`, which the caller removes. */
  static async start(network: Network, folder: string, nodes = 3): Promise<ZooKeepers> {
    const members = Array.from({ length: nodes }, (_, i) => {
      const host = network.addHost(`zookeeper${i + 1}`);
      return new ZooKeeper(
        host,
        new ZooKeeperServer(i + 1, `${folder}/zk/${i + 1}`, CLIENT_PORT, host.address),
      );
    });
    const ensemble = new ZooKeepers(members);
    try {
      for (const member of members) await ensemble.startServer(member);
      for (const member of members) await member.serving();
      return ensemble;
    } catch (error) {
      await ensemble[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** As the setting `zk` wants them. */
  get addresses(): string {
    return this.members.map(({ server }) => server.address).join(",");
  }

  /** Does not wait until it serves. */
  async startServer({ host, server }: ZooKeeper): Promise<void> {
    const { java, args } = await javaCommand(server.folder);
    const [program, ...before] = host.enter;
    server.start(
      { java: program!, args: [...before, java, ...args] },
      this.members.map(({ server }) => server),
    );
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.members.map(({ server }) => server.stop("SIGKILL")));
  }
}
