/** The active master at work: what it sees, decides and writes, when nodes come, die, propose and leave. */

import { assert, assertEquals, assertRejects } from "@std/assert";
import { KvError } from "../../core/platform/errors.ts";
import type { Log } from "../../core/platform/ports.ts";
import { Leaving } from "../../core/cluster/leaving.ts";
import { formatRegistration, parseRegistration } from "../../core/cluster/registration.ts";
import { admin, cluster } from "../../core/rpc/methods.ts";
import { ProposalKind } from "../../proto/gen/kv/v1/cluster.ts";
import { MasterWorld, PATHS } from "./master_world.ts";

const ALL = Array.from({ length: 13 }, (_, slot) => slot);

/** A master, a data node a, and the standbys, all listed and in sync with every slot. */
async function running(seed: number, ...standbys: string[]): Promise<MasterWorld> {
  const world = new MasterWorld(seed);
  world.addMaster();
  world.addNode("a", "data");
  for (const id of standbys) world.addNode(id, "standby");
  await world.until(
    "all are listed",
    () => world.ring?.nodes.length === 1 && world.ring.standbys.length === standbys.length,
  );
  const a = world.program("a");
  for (const id of standbys) {
    await world.until("a knows the ring", () => a.rings.version === world.ring?.version);
    a.rings.offer(await world.wait(a.propose(ProposalKind.ADD, world.program(id).ref, ALL)));
  }
  assert(world.ring!.slots.every(({ isr }) => isr.length === 1 + standbys.length));
  return world;
}

const owners = ({ ring }: MasterWorld): string[] => [...new Set(ring!.slots.map(({ owner }) => owner!.id))];

Deno.test("master: many proposals are one write of the ring, and answered with it", async () => {
  const world = await running(1, "s");
  const before = world.ring!.version;
  const { ref } = world.program("s");
  const ring = await world.wait(world.program("a").propose(ProposalKind.REMOVE, ref, ALL));
  assertEquals(ring.version, before + 1);
  assertEquals(world.ring, ring);
  assert(ring.slots.every(({ isr, isrSeq }) => isr.length === 1 && isrSeq === 3));
});

Deno.test("master: a killed data node is replaced within a second; its heir becomes a data node in the coordinator", async () => {
  const world = await running(2, "s", "t");
  world.nodes.get("a")!.kill("process");
  const tookMs = await world.until("another owner", () => !owners(world).includes("a"));
  assert(tookMs < 1000, `${tookMs} ms`);
  const { nodes, standbys } = world.ring!;
  assertEquals([nodes.length, nodes[0]!.label, standbys.length], [1, 0, 1]);
  const heir = world.program(nodes[0]!.ref.id);
  await world.until("the label in its registration", () => {
    const found = world.ensemble.truth.read(`${PATHS.dataNodes}/${heir.address}`);
    return found !== undefined && parseRegistration(found.data)?.label === 0;
  });
  await world.until(
    "no standby any more",
    () => world.ensemble.truth.read(`${PATHS.standbys}/${heir.address}`) === undefined,
  );
  world.nodes.get("a")!.startIn(0);
  await world.until("a new seat", () => world.ring!.nodes.length === 2);
  assertEquals(owners(world), [heir.id]);
});

Deno.test("master: a silent owner is replaced on a follower's word, or after the length of a promise", async () => {
  for (const suspected of [true, false]) {
    const world = await running(3, "s");
    await world.runMs(1000);
    world.nodes.get("a")!.pause();
    const { transport } = world.program("s").world;
    const suspect = { reporter: world.program("s").ref, suspect: world.program("a").ref, wasAlive: true };
    if (suspected) void transport.call(world.ring!.writer, cluster.suspect, suspect, 1000);
    const tookMs = await world.until("another owner", () => owners(world)[0] === "s");
    assert(suspected ? tookMs < 600 : tookMs > 600 && tookMs < 1800, `${suspected}: ${tookMs} ms`);
  }
});

Deno.test("master: an owner that answers stays, without its session; one that is stuck goes", async () => {
  const world = await running(4, "s");
  for (const session of world.ensemble.sessions.filter(({ client }) => client === "a")) {
    world.ensemble.expire(session.id);
  }
  await world.runMs(3000);
  assertEquals(owners(world), ["a"]);
  world.program("a").stuck = true;
  await world.until("another owner", () => owners(world)[0] === "s", 1000);
});

Deno.test("master: after a full restart owners that are not there yet are waited for, and listed again", async () => {
  const world = await running(5, "s");
  const machines = [...world.masters, ...world.nodes.values()];
  for (const machine of machines) machine.kill("power");
  await world.runMs(4000);
  for (const machine of [...world.masters, world.nodes.get("s")!]) machine.startIn(0);
  await world.until("a master is active", () => world.masters[0]!.program?.active ?? false);
  await world.runMs(3000);
  assertEquals(owners(world), ["a"]);
  world.nodes.get("a")!.startIn(0);
  await world.until("a is listed again", () => world.ring!.slots[0]!.owner?.incarnation === 2);
  assertEquals(world.ring!.slots[0]!.isr, [{ id: "a", incarnation: 2 }, { id: "s", incarnation: 2 }]);
});

Deno.test("master: the last data node may not leave, another may, and so may a standby", async () => {
  const world = await running(6, "s");
  const a = world.program("a");
  await assertRejects(() => world.wait(a.leave()), KvError, "last data node");
  world.addNode("b", "data");
  await world.until("b has a seat", () => world.ring!.nodes.length === 2);
  await world.until("a knows", () => a.rings.version === world.ring!.version);
  await world.wait(a.membership.withdraw());
  assertEquals((await world.wait(a.leave())).nodes.map(({ leaving }) => leaving), [true, false]);
  const s = world.program("s");
  await world.wait(s.membership.withdraw());
  assertEquals((await world.wait(s.leave())).standbys.map(({ leaving }) => leaving), [true]);
});

Deno.test("master: even shares are one write of the ring, which who joins and leaves keeps even", async () => {
  const world = await running(10, "s");
  for (const id of ["b", "c"]) world.addNode(id, "data");
  await world.until("all have seats", () => world.ring!.nodes.length === 3);
  const shares = () => {
    const { assigned, nodes } = world.ring!;
    const counts = nodes.map(({ label }) => assigned.filter((each) => each === label).length);
    return counts.filter((count) => count > 0).toSorted();
  };
  const ask = (undo: boolean) => {
    const { transport } = world.program("a").world;
    return world.wait(transport.call(world.ring!.writer, admin.rebalance, { undo }, 1000));
  };
  assertEquals(shares(), []);
  const before = world.ring!.version;
  assertEquals((await ask(false)).version, before + 1);
  assertEquals([shares(), (await ask(false)).version], [[4, 4, 5], before + 1]);
  world.addNode("d", "data");
  await world.until("d has a seat", () => world.ring!.nodes.length === 4);
  assertEquals(shares(), [3, 3, 3, 4]);
  await world.until("b knows", () => world.program("b").rings.version === world.ring!.version);
  await world.wait(world.program("b").membership.withdraw());
  await world.wait(world.program("b").leave());
  assertEquals(shares(), [4, 4, 5]);
  assertEquals([(await ask(true)).assigned, shares()], [[], []]);
});

Deno.test("leaving: the last data node learns that it must keep its slots; one that has none is let go", async () => {
  const world = await running(9, "s");
  world.addNode("b", "data");
  await world.until("b has a seat", () => world.nodes.get("b")!.program?.rings.ring?.nodes.length === 2);
  const leave = async (id: string) => {
    const { rings, membership, ref: self, world: { clock, transport } } = world.program(id);
    const said: string[] = [];
    const log: Log = (level, message) => void (level !== "debug" && said.push(message));
    const reason = await world.wait(new Leaving({ clock, transport, log, self, rings, membership }).run());
    return [...said.filter((message) => message !== "leaving"), reason?.split(":")[0]];
  };
  assertEquals(await leave("b"), ["the node has left the cluster", undefined]);
  assertEquals(await leave("a"), ["it is the last data node"]);
  await world.until("b is off the ring", () => world.ring!.nodes.length === 1);
  world.masters[0]!.kill("process");
  assertEquals(await leave("s"), ["no master lets it go"]);
});

Deno.test("master: a waiting one answers that it is not in charge", async () => {
  const world = await running(7);
  const waiting = world.addMaster();
  await world.runMs(2000);
  const a = world.program("a");
  const call = a.world.transport.call(waiting.program!.address, cluster.leave, { node: a.ref }, 1000);
  const error = await assertRejects(() => world.wait(call), KvError);
  assertEquals(error.code, "unavailable");
});

Deno.test("master: one that reaches no node while the coordinator hears it makes room for another", async () => {
  const world = await running(8, "s");
  const [first] = world.masters;
  const second = world.addMaster();
  await world.runMs(2000);
  for (const id of ["a", "s"]) {
    world.network.cut(first!.name, id);
    world.network.cut(id, first!.name);
  }
  const tookMs = await world.until("the other is active", () => second.program?.active ?? false);
  assert(tookMs > 3000 && tookMs < 6000, `${tookMs} ms`);
  assertEquals(owners(world), ["a"]);
});

Deno.test("master: while the coordinator is out nobody is kept waiting, neither owners nor operators", async () => {
  const world = await running(11, "s");
  const [a, s] = [world.program("a"), world.program("s")];
  const rebalance = () =>
    world.wait(a.world.transport.call(world.ring!.writer, admin.rebalance, { undo: false }, 30_000));
  const propose = () => world.wait(a.propose(ProposalKind.REMOVE, s.ref, ALL));
  world.ensemble.outage(true);
  for (let i = 0; i < 3; i++) {
    for (const ask of [rebalance, propose]) {
      const error = await assertRejects(ask, KvError, "the ring could not be written");
      assertEquals(error.code, "unavailable");
    }
  }
  world.ensemble.outage(false);
  await world.until("the master is back", () => world.masters[0]!.program!.active);
  await world.runMs(3000);
  const before = world.ring!.version;
  assertEquals((await propose()).version, before + 1);
});

Deno.test("master: a registration that was overwritten by what it was before is put right by its process", async () => {
  const world = await running(11);
  const { address, ref, coordinator } = world.program("a");
  const path = `${PATHS.dataNodes}/${address}`;
  const written = () => parseRegistration(world.ensemble.truth.read(path)!.data)!;
  assertEquals(written().ref, ref);
  const session = await world.wait(coordinator.open());
  const { version } = world.ensemble.truth.read(path)!.stat;
  await world.wait(
    session.set(path, formatRegistration({ ref: { id: "a", incarnation: 9 }, label: 3 }), version),
  );
  assertEquals(written().ref.incarnation, 9);
  await world.until("a is registered as it is", () => written().ref.incarnation === ref.incarnation);
  await world.until("the master has told its label", () => written().label === 0);
});
