import type { Cluster } from "../cluster.ts";
import type { SeededRandom } from "../world/random.ts";
import type { End, Fault } from "./fault.ts";

type Pair = readonly [string, string];

function cutAll({ network }: Cluster, pairs: readonly Pair[]): End {
  for (const [from, to] of pairs) network.cut(from, to);
  return () => {
    for (const [from, to] of pairs) network.heal(from, to);
  };
}

function both([a, b]: Pair): readonly Pair[] {
  return [[a, b], [b, a]];
}

/** Every pair with this probability. */
function somePairs(names: readonly string[], random: SeededRandom, probability: number): Pair[] {
  return names.flatMap((a, i) => names.slice(i + 1).map((b): Pair => [a, b]))
    .filter(() => random.chance(probability));
}

export const NETWORK_FAULTS: readonly Fault[] = [
  {
    name: "call messages lost",
    group: "network",
    lastsMs: 1500,
    inject: ({ network: { settings } }, random) => {
      settings.callLoss = random.pick([0.01, 0.1, 0.5]);
      return () => (settings.callLoss = 0);
    },
  },
  {
    name: "calls repeated",
    group: "network",
    lastsMs: 3000,
    inject: ({ network: { settings } }, random) => {
      settings.callAgain = random.pick([0.05, 0.5]);
      settings.callAgainMs = random.pick([5, 300, 5000]);
      return () => (settings.callAgain = 0);
    },
  },
  {
    name: "connections reset",
    group: "network",
    lastsMs: 1500,
    inject: ({ network: { settings } }, random) => {
      settings.reset = random.pick([0.002, 0.02, 0.1]);
      return () => (settings.reset = 0);
    },
  },
  {
    name: "latency spikes",
    group: "network",
    lastsMs: 1500,
    inject: ({ network: { settings } }, random) => {
      settings.spike = random.pick([0.02, 0.2]);
      settings.spikeMs = random.pick([20, 300, 3000]);
      return () => (settings.spike = 0);
    },
  },
  {
    name: "slow links",
    group: "network",
    lastsMs: 3000,
    inject: ({ network, names }, random) => {
      const moreMs = random.pick([5, 50, 400]);
      const pairs = somePairs(names, random, 0.2).map((pair) => random.chance(0.5) ? pair : both(pair)[1]!);
      for (const [from, to] of pairs) network.slow(from, to, moreMs);
      return () => {
        for (const [from, to] of pairs) network.slow(from, to, 0);
      };
    },
  },
  {
    name: "one-way partition",
    group: "network",
    lastsMs: 2000,
    inject: (cluster, random) => {
      const from = random.pick(cluster.names);
      const to = random.pick(cluster.names);
      return from === to ? undefined : cutAll(cluster, [[from, to]]);
    },
  },
  {
    name: "two-way partition",
    group: "network",
    lastsMs: 2000,
    inject: (cluster, random) => {
      const { names } = cluster;
      const inside = names.filter(() => random.chance(0.4));
      const outside = names.filter((name) => !inside.includes(name));
      return cutAll(cluster, inside.flatMap((a) => outside.flatMap((b) => both([a, b]))));
    },
  },
  {
    name: "partial partition",
    group: "network",
    lastsMs: 2500,
    inject: (cluster, random) => {
      const pairs = somePairs(cluster.names, random, random.pick([0.1, 0.3]));
      return cutAll(cluster, pairs.flatMap((pair) => random.chance(0.7) ? both(pair) : [pair]));
    },
  },
  {
    name: "nodes do not reach each other",
    group: "network",
    lastsMs: 2500,
    replicated: true,
    inject: (cluster, random) => {
      const names = cluster.nodes.map(({ name }) => name);
      return cutAll(cluster, somePairs(names, random, 0.5).flatMap(both));
    },
  },
  {
    name: "a node alone",
    group: "network",
    lastsMs: 2500,
    inject: (cluster, random) => {
      const { name } = random.pick(cluster.nodes);
      const others = cluster.names.filter((other) => other !== name);
      const end = cutAll(cluster, others.flatMap((other) => both([name, other])));
      // With or without the coordinator: some nodes are only alone to their peers.
      const cutToo = random.chance(0.5);
      if (cutToo) cluster.ensemble.cut(name, true);
      return () => {
        end();
        if (cutToo) cluster.ensemble.cut(name, false);
      };
    },
  },
];
