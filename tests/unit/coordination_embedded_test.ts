import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { CoordinatorError } from "../../core/coordination/coordinator.ts";
import { embeddedCoordinator } from "../../core/coordination/embedded.ts";
import { systemClock } from "../../core/platform/clock.ts";
import { KvError } from "../../core/platform/errors.ts";
import { DiskError, type Log } from "../../core/platform/ports.ts";
import { systemRandom } from "../../core/platform/random.ts";
import { assertFault, coordinatorContract, type Subject } from "../zookeeper/contract.ts";
import { lockContract } from "../zookeeper/lock_contract.ts";
import { MemoryDisk } from "./memory_disk.ts";

const silent: Log = () => {};
const open = (disk: MemoryDisk) => embeddedCoordinator({ disk, log: silent, folder: "coordinator" });

async function setUp(): Promise<Subject> {
  const coordinator = open(new MemoryDisk());
  const session = await coordinator.open();
  await session.ensurePath("/test");
  await session.close();
  return {
    coordinator,
    world: { clock: systemClock, random: systemRandom, log: silent },
    root: "/test",
    // deno-lint-ignore require-await -- the interface's promise
    expire: async (expired) => coordinator.expire(expired.id),
    drive: (test) => test,
    [Symbol.asyncDispose]: () => coordinator.close(),
  };
}

coordinatorContract("embedded", setUp);
lockContract("embedded", setUp);

Deno.test("embedded: persistent nodes and their versions are there at the next start, ephemeral ones are not", async () => {
  const disk = new MemoryDisk();
  const first = open(disk);
  const session = await first.open();
  await session.ensurePath("/kv/lock");
  await session.create("/kv/ring", "1", "persistent");
  await session.set("/kv/ring", "2", 0);
  await session.create("/kv/gone", "", "persistent");
  await session.remove("/kv/gone");
  await session.create("/kv/lock/e", "", "ephemeral");
  // No close: as after a crash.
  const copy = new MemoryDisk();
  for (const [path, bytes] of disk.files) copy.files.set(path, bytes.slice());

  const second = open(copy);
  const again = await second.open();
  assert(again.id !== session.id);
  assertEquals(await again.children("/kv"), ["lock", "ring"]);
  assertEquals(await again.get("/kv/ring"), { data: "2", stat: { version: 1, ephemeralOwner: "0" } });
  assertEquals(await again.children("/kv/lock"), []);
  await first.close();
  await second.close();
});

Deno.test("embedded: a second one on the same folder is refused, until the first is closed", async () => {
  const disk = new MemoryDisk();
  const first = open(disk);
  assertEquals(assertThrows(() => open(disk), DiskError).fault, "locked");
  const session = await first.open();
  await first.close();
  assertEquals(session.state, "closed");
  await assertRejects(() => first.open(), CoordinatorError, "closed");
  await open(disk).close();
});

Deno.test("embedded: every damaged byte and every cut of the file is noticed", async () => {
  const disk = new MemoryDisk();
  const first = open(disk);
  const session = await first.open();
  await session.create("/a", "data", "persistent");
  await first.close();
  const whole = disk.files.get("coordinator/coordinator")!;
  const expectDamaged = (bytes: Uint8Array) => {
    const damaged = new MemoryDisk();
    damaged.files.set("coordinator/coordinator", bytes);
    const error = assertThrows(() => open(damaged), KvError, "coordinator/coordinator is damaged");
    assertEquals(error.code, "damaged");
  };
  for (let i = 0; i < whole.length; i++) {
    const flipped = whole.slice();
    flipped[i]! ^= 1;
    expectDamaged(flipped);
    expectDamaged(whole.slice(0, i));
  }
  expectDamaged(new Uint8Array([...whole, 10]));
});

Deno.test("embedded: a full disk refuses the change, keeps the state, and recovers", async () => {
  const disk = new MemoryDisk();
  const coordinator = open(disk);
  const session = await coordinator.open();
  await session.create("/a", "1", "persistent");
  disk.failing.set("write", "full");
  await assertFault("connection-loss", () => session.set("/a", "2", 0));
  await assertFault("connection-loss", () =>
    session.transaction([
      { kind: "create", path: "/b", data: "", mode: "persistent" },
      { kind: "create", path: "/b/c", data: "", mode: "persistent" },
      { kind: "remove", path: "/a" },
    ]));
  assertEquals(await session.get("/a"), { data: "1", stat: { version: 0, ephemeralOwner: "0" } });
  assertEquals(await session.children("/"), ["a"]);
  await session.create("/e", "", "ephemeral");
  disk.failing.clear();
  assertEquals((await session.set("/a", "2", 0)).version, 1);
  await coordinator.close();
  const again = open(disk);
  assertEquals((await (await again.open()).get("/a"))?.data, "2");
  await again.close();
});

Deno.test("embedded: after a failed sync it answers nothing more", async () => {
  const disk = new MemoryDisk();
  const coordinator = open(disk);
  const session = await coordinator.open();
  await session.create("/a", "1", "persistent");
  disk.failing.set("sync", "io");
  await assertFault("connection-loss", () => session.set("/a", "2", 0));
  disk.failing.clear();
  assertEquals(session.state, "expired");
  await assertFault("session-expired", () => session.get("/a"));
  await assertFault("connection-loss", () => coordinator.open());
  await coordinator.close();
});
