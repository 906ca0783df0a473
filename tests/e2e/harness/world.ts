import { openObserver } from "./client.ts";
import { Cluster } from "./cluster.ts";
import { eventually } from "./eventually.ts";
import { activeMasters, lackOfSync, type Observer, rolesIn, statusOf } from "./health.ts";
import type { Network } from "./network.ts";
import type { Server } from "./server.ts";
import { ZooKeepers } from "./zookeepers.ts";

export interface Shape {
  data: number;
  readonly standbys: number;
}

/** What must not be hit twice at once. `copies`: data nodes and standbys, of which one at a time may be missing. */
export type Group = "copies" | "masters" | "zookeeper";

/** A whole cluster, each process on a host of its own: three ZooKeeper servers, two masters, data nodes, standbys. */
export class World implements AsyncDisposable {
  private constructor(
    readonly ensemble: ZooKeepers,
    readonly cluster: Cluster,
    readonly observer: Observer & Disposable,
    /** What it is to be: whoever lets nodes join or leave says so here. */
    readonly shape: Shape,
  ) {}

  static async start(network: Network, folder: string, { data, standbys }: Shape): Promise<World> {
    await using parts = new AsyncDisposableStack();
    const ensemble = parts.use(await ZooKeepers.start(network, folder));
    const cluster = parts.use(
      await Cluster.start({ zk: ensemble.addresses, folder, network, data, standbys }),
    );
    const observer = parts.use(openObserver(cluster.masterAddresses));
    const world = new World(ensemble, cluster, observer, { data, standbys });
    await world.recovered("copies");
    parts.move();
    return world;
  }

  /**
   * Waits until a group is as if nothing had happened. A data node that was replaced comes back as one more data node,
   * while there is one standby less: one of them then leaves and comes back as the other.
   */
  async recovered(group: Group): Promise<void> {
    await this.#well(group);
    if (group !== "copies") return;
    for (let turn = await this.#nextTurn(); turn !== undefined; turn = await this.#nextTurn()) {
      const { server, into } = turn;
      server.process.signal("SIGTERM");
      await server.process.ended();
      server.kind = into;
      server.startAgain();
      await this.#well(group);
    }
  }

  #well(group: Group): Promise<unknown> {
    return eventually(`${group} recovered`, async () => {
      const lack = await this.#lack(group);
      if (lack === undefined) return true;
      throw new Error(`${lack}\n${this.#lastWords()}`);
    });
  }

  async #lack(group: Group): Promise<string | undefined> {
    if (group === "copies") return await this.#lackOfCopies();
    if (group === "zookeeper") {
      const modes = await Promise.all(this.ensemble.members.map(({ server }) => server.mode()));
      return modes.includes(undefined) ? "a ZooKeeper server does not serve" : undefined;
    }
    const { observer, cluster: { masters } } = this;
    const answers = await Promise.all(masters.map((master) => statusOf(observer, master)));
    if (answers.includes(undefined)) return "a master does not answer";
    const active = (await activeMasters(observer, masters)).length;
    return active === 1 ? undefined : `${active} masters are active`;
  }

  async #lackOfCopies(): Promise<string | undefined> {
    const { observer, cluster: { nodes } } = this;
    const { data, standbys } = await this.#roles();
    if (data.length + standbys.length < nodes.length) {
      return `${data.length} data nodes and ${standbys.length} standbys of ${nodes.length} are in the ring`;
    }
    return await lackOfSync(observer, nodes, 1 + standbys.length);
  }

  async #roles() {
    const { observer, cluster: { nodes } } = this;
    const [ring, ...replies] = await Promise.all([
      observer.client.ring(),
      ...nodes.map((node) => statusOf(observer, node)),
    ]);
    return { replies, ...rolesIn(ring, replies.filter((reply) => reply !== undefined)) };
  }

  /** Who is to become what, if there are too many of one kind: of those the one that owns least. */
  async #nextTurn(): Promise<{ server: Server; into: "data" | "standby" } | undefined> {
    const { replies, data, standbys } = await this.#roles();
    const into = data.length > this.shape.data
      ? "standby"
      : data.length < this.shape.data
      ? "data"
      : undefined;
    const surplus = into === "standby" ? data : standbys;
    if (into === undefined || surplus.length === 0) return undefined;
    const least = surplus.reduce((a, b) => b.slots.length < a.slots.length ? b : a);
    return { server: this.cluster.nodes[replies.indexOf(least)]!, into };
  }

  /** Whether the ring counts on the copies of this node: it owns a slot, or is in sync with an owner. */
  async neededByRing(id: string): Promise<boolean> {
    const ring = await this.observer.client.ring();
    return ring.slots.some(({ owner, isr }) => owner?.id === id || isr.some((member) => member.id === id));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.observer[Symbol.dispose]();
    await this.cluster[Symbol.asyncDispose]();
    await this.ensemble[Symbol.asyncDispose]();
  }

  /** What each server has said last, for whoever has to find out why it is not well. */
  #lastWords(): string {
    const words = ({ name, process }: Server) =>
      `${name}: ${process.out.trim().split("\n").at(-1)}; ${
        process.err.trim().split("\n").slice(-3).join("\n  ")
      }`;
    return [...this.cluster.masters, ...this.cluster.nodes].map(words).join("\n");
  }
}

/** How long a fault lasts, and how far apart faults are: the one thing here that is a matter of time alone. */
export function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
