import { assert } from "@std/assert";
import { RecordKind } from "../../core/storage/engine.ts";
import { SimDisk } from "../sim/world/disk.ts";
import {
  checkAfter,
  epochStart,
  EveryChoice,
  forget,
  play,
  randomStep,
  type Step,
} from "./storage_script.ts";
import { seeded, TestClock } from "./storage_world.ts";

/** Groups synced off the event loop, too, so that the power may fail while a sync runs and others are appended. */
const ASIDE = { syncNowBytesMax: 0 };

/**
 * Plays the steps with the power failing in every change that the disk is asked for, and looks at every combination
 * of what may be left then. Returns how many there were.
 */
async function everyPowerLoss(steps: readonly Step[], limits: Record<string, number>): Promise<number> {
  let states = 0;
  for (let changes = 0;; changes++) {
    const disk = new SimDisk(new TestClock(), seeded(1));
    disk.faults.changesLeft = changes;
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
  const states = await everyPowerLoss(small, {}) + await everyPowerLoss(small, ASIDE);
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

Deno.test("storage: long runs, power lost again and again, also while recovering", async () => {
  let losses = 0;
  for (let seed = 1; seed <= 150; seed++) {
    const random = seeded(seed);
    const limits = { syncNowBytesMax: random.below(2) * 1000, checkpointBytes: 1000 + random.below(5000) };
    let disk = new SimDisk(new TestClock(), random);
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
