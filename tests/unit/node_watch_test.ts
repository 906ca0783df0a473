/** Whom the active master takes for lost, and that it does not blame others for its own sleep. */

import { assertEquals } from "@std/assert";
import { NodeWatch } from "../../core/cluster/node_watch.ts";
import { cluster } from "../../core/rpc/methods.ts";
import { SimClock } from "../sim/world/clock.ts";
import { SeededRandom } from "../sim/world/random.ts";
import { SimProcess } from "../sim/world/scheduler.ts";
import { ringOf, World } from "./client_world.ts";

const WELL = { stuck: false, unusable: [], ringVersion: 1, ringNonce: "", clusterId: "", notServed: [] };

const NODES = ["d1", "d2"].map((id, i) => ({
  ref: { id, incarnation: 1 },
  address: `${id}:1`,
  label: i,
  leaving: false,
}));
const RING = ringOf(1, NODES, (slot) => NODES[slot % NODES.length]);
const REGISTERED = NODES.map(({ ref, address }) => ({ ref, address, path: address, version: 0 }));

/** A master that has met two nodes. */
async function watching() {
  const world = new World();
  const [master, ...nodes] = ["m1", ...NODES.map(({ ref }) => ref.id)].map((name) =>
    new SimProcess(world.scheduler, name)
  );
  for (const [i, { address }] of NODES.entries()) {
    await world.transport(nodes[i]!).listen(address, (services) => {
      services.unary(cluster.inspect, () => ({ ...WELL }));
    });
  }
  const clock = new SimClock(master!, new SeededRandom("clock"));
  /** Everybody who was ever taken for lost. */
  const lost = new Set<string>();
  const watch = new NodeWatch({
    clock,
    transport: world.transport(master!),
    log: () => {},
    changed: () => [...watch.lost().keys()].forEach((id) => lost.add(id)),
  });
  watch.follow(RING, REGISTERED);
  await world.runMs(1000);
  assertEquals([...watch.known().keys()], ["d1", "d2"]);
  return { world, watch, clock, master: master!, nodes, lost };
}

Deno.test("a node that stops for longer than a promise is taken for lost, and only that one", async () => {
  const { world, watch, nodes } = await watching();
  nodes[0]!.pause();
  await world.runMs(2000);
  assertEquals([...watch.lost()], [["d1", "dead"]]);
  nodes[0]!.resume();
  await world.runMs(1000);
  assertEquals([...watch.lost()], []);
});

Deno.test("a node that leaves has no registration, which does not speak against it: one slow answer is not its end", async () => {
  const { world, watch, nodes, lost } = await watching();
  watch.follow(
    { ...RING, nodes: NODES.map((node, i) => ({ ...node, leaving: i === 0 })) },
    REGISTERED.slice(1),
  );
  nodes[0]!.pause();
  await world.runMs(500);
  nodes[0]!.resume();
  await world.runMs(1000);
  assertEquals([...lost], []);
  nodes[0]!.pause();
  await world.runMs(2000);
  assertEquals([...watch.lost()], [["d1", "dead"]]);
});

Deno.test("a master that was stopped itself takes nobody for lost", async () => {
  const { world, watch, master, lost } = await watching();
  for (const pausedMs of [450, 700, 1000, 2000, 5000]) {
    // While questions are under way. An event loop looks at the time before it looks for answers.
    world.network.onMessage = ({ reply }) => reply || master.pause();
    world.network.settings.latencyMsMin = 400;
    await world.runUntil(() => master.paused);
    world.network.onMessage = undefined;
    await world.runMs(pausedMs);
    world.network.settings.latencyMsMin = 1;
    master.resume();
    await world.runMs(1013);
    assertEquals([[...lost], watch.cutOff], [[], false], `after ${pausedMs} ms`);
  }
});

Deno.test("whoever has not come yet is waited for as long as others still come, but not for ever", async () => {
  const { world, watch, clock } = await watching();
  const follow = (...names: string[]) => {
    const nodes = names.map((id, i) => ({
      ...NODES[0]!,
      ref: { id, incarnation: 1 },
      address: `${id}:1`,
      label: i,
    }));
    watch.follow(ringOf(1, nodes, (slot) => nodes[slot % nodes.length]), []);
  };
  const names = ["d1", "late"];
  follow(...names);
  await world.runMs(3000);
  // One after the other, further processes come up: 4 s apart.
  for (let i = 0; clock.monotonicMs() < 29_000; i++) {
    assertEquals([...watch.lost()], [], `after ${clock.monotonicMs()} ms`);
    const process = new SimProcess(world.scheduler, `n${i}`);
    await world.transport(process).listen(`n${i}:1`, (services) => {
      services.unary(cluster.inspect, () => ({ ...WELL }));
    });
    names.push(`n${i}`);
    follow(...names);
    await world.runMs(4000);
  }
  assertEquals([...watch.lost()], [["late", "dead"]]);
});

Deno.test("a master that hardly gets to run takes nobody for lost", async () => {
  const { world, watch, master, nodes, lost } = await watching();
  // Some answers come too late for the limit of the call, since both ends are held up; and the others complain.
  Object.assign(world.network.settings, { spike: 0.3, spikeMs: 300 });
  for (let i = 0; i < 60; i++) {
    master.pause();
    await world.runMs(160);
    master.resume();
    void watch.suspect(NODES[i % 2]!.ref, true);
    await world.runMs(60);
  }
  assertEquals([[...lost], watch.cutOff], [[], false]);
  world.network.settings.spike = 0;
  nodes[0]!.kill();
  await world.runMs(1000);
  assertEquals([...lost], ["d1"]);
});

Deno.test("a master that is held up now and then still finds the node that is silent", async () => {
  const { world, watch, master, nodes } = await watching();
  nodes[1]!.pause();
  for (let i = 0; i < 20; i++) {
    master.pause();
    await world.runMs(150);
    master.resume();
    await world.runMs(250);
  }
  assertEquals([...watch.lost()], [["d2", "dead"]]);
});
