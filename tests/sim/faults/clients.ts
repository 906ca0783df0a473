import type { Fault } from "./fault.ts";

/** Trouble that clients make. */
export const CLIENT_FAULTS: readonly Fault[] = [
  {
    // Nobody knows what became of what all clients have under way: all of it comes again, at once, and again and again.
    name: "retry storm",
    group: "network",
    lastsMs: 500,
    inject: (cluster, random) => {
      const { network, scheduler } = cluster;
      const clients = cluster.clients.filter(({ ready }) => ready);
      if (clients.length === 0) return undefined;
      const everyMs = random.pick([50, 200]);
      let over = false;
      const breakAll = () => {
        if (over) return;
        for (const { process } of clients) if (process !== undefined) network.reset(process);
        scheduler.after(everyMs * (0.5 + random.number()), breakAll);
      };
      scheduler.after(random.number(), breakAll);
      return () => over = true;
    },
  },
];
