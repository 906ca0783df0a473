import type { Fault } from "./fault.ts";

export const COORDINATOR_FAULTS: readonly Fault[] = [
  {
    name: "session expired",
    group: "coordinator",
    inject: ({ ensemble }, random) => {
      if (ensemble.sessions.length === 0) return undefined;
      ensemble.expire(random.pick(ensemble.sessions).id);
      return true;
    },
  },
  {
    name: "all sessions expired",
    group: "coordinator",
    inject: ({ ensemble }, random) => {
      if (!random.chance(0.3)) return undefined;
      for (const { id } of ensemble.sessions) ensemble.expire(id);
      return true;
    },
  },
  {
    name: "coordinator without quorum",
    group: "coordinator",
    lastsMs: 4000,
    inject: ({ ensemble }) => {
      ensemble.outage(true);
      return () => ensemble.outage(false);
    },
  },
  {
    name: "coordinator out of reach",
    group: "coordinator",
    lastsMs: 3000,
    inject: ({ ensemble, names }, random) => {
      const name = random.pick(names);
      ensemble.cut(name, true);
      return () => ensemble.cut(name, false);
    },
  },
  {
    name: "one server of the coordinator out of reach",
    group: "coordinator",
    lastsMs: 3000,
    inject: ({ ensemble, names }, random) => {
      const server = random.below(ensemble.settings.servers);
      const some = names.filter(() => random.chance(0.4));
      for (const name of some) ensemble.cutServer(name, server, true);
      return () => {
        for (const name of some) ensemble.cutServer(name, server, false);
      };
    },
  },
  {
    name: "coordinator follower without its leader",
    group: "coordinator",
    lastsMs: 6000,
    inject: ({ ensemble }, random) => {
      const server = random.below(ensemble.settings.servers);
      ensemble.isolate(server, true);
      return () => ensemble.isolate(server, false);
    },
  },
  {
    name: "coordinator connections lost",
    group: "coordinator",
    lastsMs: 2000,
    inject: ({ ensemble: { settings } }, random) => {
      settings.lossBefore = random.pick([0, 0.05, 0.2]);
      settings.lossAfter = random.pick([0.05, 0.2]);
      return () => (settings.lossBefore = settings.lossAfter = 0);
    },
  },
  {
    name: "coordinator server behind",
    group: "coordinator",
    lastsMs: 3000,
    inject: ({ ensemble }, random) => {
      const server = random.below(ensemble.settings.servers);
      ensemble.freeze(server, true);
      return () => ensemble.freeze(server, false);
    },
  },
];
