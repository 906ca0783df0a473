import { downMs, type Fault } from "./fault.ts";

export const DISK_FAULTS: readonly Fault[] = [
  {
    name: "disk full",
    group: "disk",
    lastsMs: 1500,
    inject: ({ nodes }, random) => {
      const { disk } = random.pick(nodes);
      disk?.full(random.below(30_000));
      return () => disk?.full(undefined);
    },
  },
  {
    name: "power lost within a disk call",
    group: "disk",
    inject: ({ nodes }, random) => {
      const running = nodes.filter((machine) => machine.alive);
      if (running.length === 0) return undefined;
      random.pick(running).disk?.failPowerWithin(random.pick([5, 50, 500]));
      return true;
    },
  },
  {
    name: "bit rot",
    group: "disk",
    inject: (cluster, random) => {
      if (!random.pick(cluster.nodes).disk?.rot()) return undefined;
      cluster.workload.rotten = true;
      return true;
    },
  },
  {
    name: "unreadable sector",
    group: "disk",
    inject: (cluster, random) => {
      if (!random.pick(cluster.nodes).disk?.spoil()) return undefined;
      cluster.workload.rotten = true;
      return true;
    },
  },
  {
    name: "next sync fails",
    group: "disk",
    inject: ({ nodes }, random) => {
      random.pick(nodes).disk?.failNextSync();
      return true;
    },
  },
  {
    name: "started on the folder of another cluster",
    group: "disk",
    inject: (cluster, random) => {
      const machine = random.pick(cluster.nodes);
      if (machine.retired || machine.borrows) return undefined;
      machine.kill("process");
      machine.borrows = true;
      const own = machine.putDisk(cluster.foreignDisk(machine.random.fork(`foreign ${machine.starts}`)));
      machine.startIn(50);
      cluster.scheduler.after(downMs(random) + 500, () => {
        machine.kill("process");
        machine.retired = false;
        machine.borrows = false;
        if (own !== undefined) machine.putDisk(own);
        machine.startIn(50);
      });
      return true;
    },
  },
];
