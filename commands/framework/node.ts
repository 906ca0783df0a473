/** Running a node in the foreground: what `kv data` and `kv standby` share. */

import type { DataNode } from "../../core/cluster/data_node.ts";
import type { NodeRole } from "../../core/cluster/role.ts";
import { type Context, type Flag, serverFlags } from "./command.ts";
import type { Io } from "./io.ts";
import { serve, zookeeper } from "./server.ts";
import { realWorld } from "./world.ts";

export const nodeFlags: readonly Flag[] = [
  {
    name: "data",
    kind: "text",
    placeholder: "FOLDER",
    description: "folder of the data; made when missing",
  },
  ...serverFlags({
    description: "where to listen: HOST: takes a free port, :9701 is 127.0.0.1:9701",
    default: "127.0.0.1:",
  }),
];

/** Runs until a signal. `role` is what the node is for as long as the cluster does not make something else of it. */
export async function runNode(context: Context, role: NodeRole): Promise<number> {
  const { io, flags, config } = context;
  const folder = flags.required("data");
  const [{ DataNode }, { listenAddress }, world] = await Promise.all([
    import("../../core/cluster/data_node.ts"),
    import("../../core/platform/address.ts"),
    realWorld(config, role),
  ]);
  const address = listenAddress(flags.required("addr"));
  const coordinator = await zookeeper(config, world);
  const node = new DataNode({ world, coordinator, config, address, folder, role });
  announceNode(node, io);
  return await serve(node, context, () => {});
}

/** Prints `ready data ADDR` or `ready standby ADDR` when it is, and again when it becomes the other. */
export function announceNode(node: DataNode, io: Io): void {
  node.onReady((role) => io.out(`ready ${role} ${node.address}\n`));
}
