import { assert } from "@std/assert";
import { RecordKind } from "../../core/storage/engine.ts";
import { SimDisk } from "../sim/world/disk.ts";
import { sessionsToBytes } from "../../core/storage/session_bytes.ts";
import { ClientSessions } from "../../core/storage/sessions.ts";
import {
  checkAfter,
  epochStart,
  EveryChoice,
  forget,
  play,
  randomStep,
  snapshotBegin,
  snapshotEnd,
  snapshotKeep,
  snapshotPut,
  snapshotResults,
  type Step,
} from "./storage_script.ts";
import { bytesOf, seeded, TestClock } from "./storage_world.ts";

/** Groups synced off the event loop, too, so that the power may fail while a sync runs and others are appended. */
const ASIDE = { syncNowBytesMax: 0 };

/**
 * Plays the steps with the power failing in every change that the disk is asked for, and looks at every combination
 * of what may be left then. Returns how many there were. Small sectors, as the records are small.
 */
async function everyPowerLoss(
  steps: readonly Step[],
  limits: Record<string, number>,
  sectorBytes = 128,
): Promise<number> {
  let states = 0;
  for (let changes = 0;; changes++) {
    const disk = new SimDisk(new TestClock(), seeded(1));
    Object.assign(disk.faults, { changesLeft: changes, sectorBytes });
    const run = await play(disk, steps, limits);
    const every = new EveryChoice();
    do {
      states++;
      await checkAfter(disk.afterPowerLoss(every.choose), run, limits);
    } while (every.next());
    if (!disk.dead) return states;
  }
}

const small: readonly Step[] = [
  (run) => run.put(1, "a", "1"),
  (run) => run.put(2, "b", "2"),
  (run) => run.durable(),
  (run) => run.put(1, "a", "3"),
  (run) => run.durable(),
];

Deno.test("storage: power loss at every change, every combination of unsynced writes", async () => {
  const states = await everyPowerLoss(small, {}, 64) + await everyPowerLoss(small, ASIDE, 64);
  assert(states > 250, `only ${states} states were looked at`);
});

Deno.test("storage: power loss at every step of a checkpoint, with a stuck slot and a segment rolled", async () => {
  await everyPowerLoss([
    (run) => void run.stuck.add(2),
    (run) => run.put(1, "a", "x".repeat(300)),
    (run) => run.put(2, "stuck", "y"),
    (run) => run.durable(),
    (run) => run.remove(1, "a"),
    (run) => run.put(1, "b", "z".repeat(300)),
    (run) => run.durable(),
    (run) => run.engine.checkpoint(),
    (run) => run.put(2, "more", "w"),
  ], {});
});

Deno.test("storage: power loss at every step of a compaction", async () => {
  await everyPowerLoss([
    (run) => run.put(1, "a", "1"),
    (run) => run.put(1, "a", "2"),
    (run) => run.put(1, "b", "x"),
    (run) => run.put(1, "a", "3"),
    (run) => run.durable(),
    (run) => run.engine.checkpoint(),
    (run) => run.put(1, "a", "4"),
    (run) => run.engine.checkpoint(),
    (run) => run.put(1, "c", "5"),
    (run) => run.engine.compacted(),
    (run) => run.remove(1, "b"),
    (run) => run.durable(),
  ], {});
});

Deno.test("storage: power loss at every step of truncations, epochs and forgetting", async () => {
  const clientId = "client-id-a-----";
  await everyPowerLoss([
    (run) => void run.stuck.add(3),
    epochStart(3),
    (run) => run.append(3, { key: "a", clientId, sequence: 1, lowestUnfinished: 1, outcome: 1 }),
    (run) => run.append(4, { key: "b", clientId, sequence: 2, lowestUnfinished: 2, outcome: 1 }),
    (run) => run.durable(),
    (run) => run.append(3, { kind: RecordKind.Truncate, lsn: 1, epoch: 1 }),
    epochStart(3),
    (run) => run.append(4, forget(clientId)),
  ], ASIDE);
});

const results = () => {
  const sessions = new ClientSessions();
  const result = [3, { lsn: 8, epoch: 2, outcome: 1 }] as const;
  sessions.replace({ forgotten: "client-id-a-----", clients: [["client-id-b-----", 2, [result]]] });
  return sessionsToBytes(sessions);
};

for (const [how, limits] of [["at once", {}], ["aside", ASIDE]] as const) {
  Deno.test(`storage: power loss at every step of a snapshot of all (${how}), records behind it`, async () => {
    await everyPowerLoss([
      (run) => run.put(1, "old", "1"),
      (run) => run.put(2, "a", "other slot"),
      (run) => run.durable(),
      (run) => run.put(1, "old", "uncommitted"),
      (run) => run.append(1, snapshotBegin(20, 3, 0, results().subarray(0, 40))),
      (run) => run.append(1, snapshotResults(results().subarray(40))),
      (run) => run.append(1, snapshotPut("a", 7, "x")),
      (run) => run.durable(),
      (run) => run.append(1, snapshotPut("old", 19, "y")),
      (run) => run.append(1, snapshotEnd(20, 3)),
      (run) => run.append(1, { key: "b", epoch: 4, value: bytesOf("z") }),
      (run) => run.durable(),
      (run) => run.remove(1, "a"),
    ], limits);
  });

  Deno.test(`storage: power loss at every step of a drop (${how}), the slot fetched again, a checkpoint in it`, async () => {
    await everyPowerLoss([
      (run) => void run.stuck.add(1),
      (run) => run.put(1, "old", "1"),
      (run) => run.put(2, "a", "other slot"),
      (run) => run.durable(),
      (run) => run.put(1, "old", "not durable yet"),
      (run) => run.drop(1),
      (run) => void run.engine.checkpoint().catch(() => {}),
      (run) => run.durable(),
      (run) => run.append(1, snapshotBegin(20, 3, 0, results())),
      (run) => run.append(1, snapshotPut("a", 7, "x")),
      (run) => run.append(1, snapshotEnd(20, 3)),
      (run) => run.durable(),
      (run) => run.engine.checkpoint(),
    ], limits);
  });

  Deno.test(`storage: power loss at every step of a drop (${how}), and of records at the same LSNs`, async () => {
    await everyPowerLoss([
      (run) => run.put(1, "old", "1"),
      (run) => run.put(1, "older", "2"),
      (run) => run.durable(),
      (run) => run.engine.checkpoint(),
      (run) => run.drop(1),
      epochStart(1),
      (run) => run.put(1, "old", "3"),
      (run) => run.durable(),
      (run) => run.engine.checkpoint(),
      (run) => run.drop(1),
    ], limits);
  });

  Deno.test(`storage: power loss at every step of a snapshot since an LSN (${how}), a checkpoint in it`, async () => {
    await everyPowerLoss([
      (run) => run.put(1, "keep", "1"),
      (run) => run.put(1, "drop", "2"),
      (run) => run.put(1, "change", "3"),
      (run) => run.durable(),
      (run) => run.append(1, snapshotBegin(20, 3, 3, results().subarray(0, 40))),
      (run) => run.append(1, snapshotResults(results().subarray(40, 70))),
      (run) => run.append(1, snapshotKeep("keep", 1)),
      (run) => run.append(1, snapshotPut("change", 15, "4")),
      (run) => run.durable(),
      (run) => run.engine.checkpoint(),
      (run) => run.append(1, snapshotPut("new", 16, "5")),
      (run) => run.append(1, snapshotResults(results().subarray(70))),
      (run) => run.append(1, snapshotEnd(20, 3)),
      (run) => run.durable(),
      (run) => run.put(1, "behind", "6"),
    ], limits);
  });
}

Deno.test("storage: power loss at every step of a snapshot that begins anew, under checkpoints", async () => {
  await everyPowerLoss([
    (run) => run.put(1, "a", "1"),
    (run) => run.durable(),
    (run) => run.append(1, snapshotBegin(20, 3, 1)),
    (run) => run.append(1, snapshotPut("a", 9, "2")),
    (run) => void run.engine.checkpoint().catch(() => {}),
    (run) => run.append(1, snapshotBegin(15, 4, 0)),
    (run) => run.append(1, snapshotPut("a", 5, "3")),
    (run) => run.durable(),
    (run) => run.engine.checkpoint(),
    (run) => run.append(1, snapshotEnd(15, 4)),
    (run) => run.append(1, snapshotBegin(17, 4, 15)),
    (run) => run.append(1, snapshotEnd(17, 4)),
  ], ASIDE);
});

Deno.test("storage: power loss at every step of a checkpoint while a truncation is not durable", async () => {
  await everyPowerLoss([
    (run) => void run.stuck.add(3),
    (run) => run.put(3, "a", "stays"),
    (run) => run.put(3, "b", "goes"),
    (run) => run.durable(),
    (run) => {
      const done = run.engine.checkpoint();
      run.append(3, { kind: RecordKind.Truncate, lsn: 1, epoch: 1 });
      run.append(3, { key: "c", epoch: 2, value: bytesOf("new") });
      return done;
    },
    (run) => run.put(3, "d", "newer"),
  ], ASIDE);
});

Deno.test("storage: long runs, power lost again and again, also while recovering", async () => {
  let losses = 0;
  for (let seed = 1; seed <= 150; seed++) {
    const random = seeded(seed);
    const limits = { syncNowBytesMax: random.below(2) * 1000, checkpointBytes: 1000 + random.below(5000) };
    let disk = new SimDisk(new TestClock(), random);
    disk.faults.sectorBytes = 64 << random.below(4);
    const steps = Array.from({ length: 20 + random.below(60) }, () => randomStep(random));
    disk.faults.changesLeft = 20 + random.below(200);
    const run = await play(disk, steps, limits);
    for (let again = random.below(4); again > 0; again--) {
      disk = disk.crash();
      disk.faults.changesLeft = random.below(40);
      await play(disk, [], limits);
      losses++;
    }
    const engine = await checkAfter(disk.crash(), run, limits);
    await engine.close();
  }
  assert(losses > 100);
});
