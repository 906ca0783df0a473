/** Which members an owner wants to be rid of, and that it does not blame others for its own sleep. */

import { assert, assertEquals, fail } from "@std/assert";
import { type Proposal, ProposalKind } from "../../proto/gen/kv/v1/cluster.ts";
import { Copies } from "../../core/cluster/copies.ts";
import { RingKeeper } from "../../core/cluster/ring_keeper.ts";
import { defaultConfig } from "../../core/platform/config.ts";
import { KvError } from "../../core/platform/errors.ts";
import type { Ring, RingStandby } from "../../core/ring/ring.ts";
import { cluster } from "../../core/rpc/methods.ts";
import { SimClock } from "../sim/world/clock.ts";
import { SimDisk } from "../sim/world/disk.ts";
import { SeededRandom } from "../sim/world/random.ts";
import { SimProcess } from "../sim/world/scheduler.ts";
import { MSN, ringOf, World } from "./client_world.ts";
import { openOn } from "./storage_world.ts";

const OWNER = { ref: { id: "d1", incarnation: 1 }, address: "d1:1", label: 0, leaving: false };
const MASTER = "m1:1";
const STANDBY = { ref: { id: "s1", incarnation: 1 }, address: "s1:1", leaving: false };

function ring(): Ring {
  const alone = ringOf(1, [OWNER], () => OWNER);
  const slots = alone.slots.map((slot) => ({ ...slot, isr: [OWNER.ref, STANDBY.ref] }));
  return { ...alone, slots, standbys: [STANDBY], writer: MASTER };
}

async function node(world: World, process: SimProcess, { ref, address }: RingStandby) {
  const clock = new SimClock(process, new SeededRandom("clock"));
  const random = new SeededRandom(process.name);
  const disk = new SimDisk(clock, random);
  const engine = await world.run(openOn(disk));
  const rings = new RingKeeper();
  const ports = { clock, random, disk, transport: world.transport(process), log: () => {} };
  const copies = new Copies(engine, ref, MSN, rings, defaultConfig(), ports, () => {});
  rings.onRing((ring) => copies.adopt(ring));
  await ports.transport.listen(address, (services) => copies.bind(services));
  return { rings, copies };
}

/** An owner of all slots whose standby is in sync, and what it has asked the master for. */
async function owning() {
  const world = new World();
  const asked: Proposal[] = [];
  const [owner, standby, master] = ["d1", "s1", "m1"].map((name) => new SimProcess(world.scheduler, name));
  await world.transport(master!).listen(MASTER, (services) => {
    services.unary(cluster.propose, ({ proposals }) => {
      asked.push(...proposals);
      throw new KvError("refused", "the ring stays as it is");
    });
  });
  const nodes = [await node(world, owner!, OWNER), await node(world, standby!, STANDBY)];
  nodes.forEach(({ rings }) => rings.offer(ring()));
  const { copies } = nodes[0]!;
  await world.runUntil(() => copies.slots.owned().every((slot) => copies.view(slot).owner?.canAnswer));
  await world.runMs(1000);
  assertEquals(asked, []);
  return { world, owner: owner!, standby: standby!, asked, copies };
}

Deno.test("an owner that was held up itself wants to be rid of nobody", async () => {
  const { world, owner, asked } = await owning();
  for (const pausedMs of [450, 700, 1000, 2000, 5000]) {
    // While a heartbeat is under way. An event loop looks at the time before it looks for answers.
    world.network.onMessage = ({ reply }) => reply || owner.pause();
    world.network.settings.latencyMsMin = 100;
    await world.runUntil(() => owner.paused);
    world.network.onMessage = undefined;
    await world.runMs(pausedMs);
    world.network.settings.latencyMsMin = 1;
    owner.resume();
    await world.runMs(1013);
    assertEquals(asked, [], `after ${pausedMs} ms`);
  }
});

Deno.test("an owner that is held up now and then still finds the member that is silent", async () => {
  const { world, owner, standby, asked } = await owning();
  standby.pause();
  for (let i = 0; i < 20; i++) {
    owner.pause();
    await world.runMs(250);
    owner.resume();
    await world.runMs(250);
  }
  assert(asked.length > 0);
  assertEquals(new Set(asked.map(({ kind }) => kind)), new Set([ProposalKind.REMOVE]));
});

Deno.test("a slot with more to send than the follower takes does not keep the others waiting", async () => {
  const { world, copies, asked } = await owning();
  world.network.settings.latencyMsMin = 50;
  const put = (slot: number, bytes: number, done: () => void) => {
    const key = `key of ${slot}`;
    const request = {
      kind: "put",
      key,
      hash: slot,
      value: new Uint8Array(bytes),
      condition: undefined,
    } as const;
    const ids = { clientId: "", sequence: 0, lowestUnfinished: 0, retry: false };
    copies.slots.owner(slot)!.write({ ...request, ...ids }, { done, failed: (error) => fail(error.message) });
  };
  let busy = true;
  const again = () => busy && put(0, 400_000, again);
  for (let i = 0; i < 20; i++) again();
  await world.runMs(500);
  let answered = 0;
  for (let slot = 1; slot < MSN; slot++) put(slot, 10, () => answered++);
  await world.runMs(1000);
  busy = false;
  assertEquals(answered, MSN - 1);
  assertEquals(asked, []);
});
