import { activeMasters } from "../harness/health.ts";
import type { Host } from "../harness/network.ts";
import type { Server } from "../harness/server.ts";
import type { ZooKeeper } from "../harness/zookeepers.ts";
import type { Group, World } from "../harness/world.ts";

/** How often each kind is hit, beside the others: most depends on the nodes that hold data. */
export const TARGET_KINDS = {
  "data": 4,
  "standby": 2,
  "active master": 1,
  "waiting master": 1,
  "zookeeper": 1,
} as const;
export type TargetKind = keyof typeof TARGET_KINDS;

/** A process that faults can hit. */
export interface Target {
  readonly kind: TargetKind;
  readonly group: Group;
  readonly name: string;
  readonly host: Host;
  /** Undefined for ZooKeeper. */
  readonly server: Server | undefined;
  signal(signal: Deno.Signal): void;
  kill(): Promise<void>;
  startAgain(): Promise<void> | void;
}

/** Everybody, as what they are at this moment. */
export async function targets({ observer, cluster, ensemble }: World): Promise<Target[]> {
  const active = await activeMasters(observer, cluster.masters);
  return [
    ...cluster.nodes.map((node) =>
      serverTarget(node, node.announced?.role === "data" ? "data" : "standby", "copies")
    ),
    ...cluster.masters.map((master) =>
      serverTarget(master, active.includes(master) ? "active master" : "waiting master", "masters")
    ),
    ...ensemble.members.map((member) => zookeeperTarget(member, () => ensemble.startServer(member))),
  ];
}

function serverTarget(server: Server, kind: TargetKind, group: Group): Target {
  return {
    kind,
    group,
    name: server.name,
    host: server.host!,
    server,
    signal: (signal) => server.process.signal(signal),
    kill: () => server.process.kill(),
    startAgain: () => server.startAgain(),
  };
}

function zookeeperTarget({ name, host, server }: ZooKeeper, startAgain: () => Promise<void>): Target {
  return {
    kind: "zookeeper",
    group: "zookeeper",
    name,
    host,
    server: undefined,
    signal: (signal) => server.signal(signal),
    kill: () => server.stop("SIGKILL"),
    startAgain,
  };
}
