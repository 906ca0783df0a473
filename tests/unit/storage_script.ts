import { assert } from "@std/assert";
import type { Random } from "../../core/platform/ports.ts";
import { type Engine, type EngineLimits, type LogRecord, RecordKind } from "../../core/storage/engine.ts";
import { snapshotOfNothing } from "../../core/storage/snapshot.ts";
import type { Choose, SimDisk } from "../sim/world/disk.ts";
import { Twin } from "./storage_twin.ts";
import { bytesOf, commitAll, contentOf, openOn, recordFor, seeded } from "./storage_world.ts";

/** One step of a scripted run: appends records, or asks for something else. */
export type Step = (run: Run) => void | Promise<void>;

/** A run of the engine beside its twin, which knows what the disk may hold after a power loss. */
export class Run {
  /** What the storage holds after each appended record, with the number of appended records. */
  readonly contents: string[] = [];
  /** contents[acknowledged..] are allowed after a power loss. */
  acknowledged = 0;
  readonly twin: Twin;
  /** Slots whose records are not committed when they are durable. */
  readonly stuck = new Set<number>();
  /** What is left to be appended of the slots' snapshots. */
  readonly snapshots = new Map<number, Fields[]>();

  /** @param tracked false: `contents` are left empty, which is quicker by far when there is much of it */
  constructor(readonly engine: Engine, twin = new Twin(), readonly tracked = true) {
    this.twin = twin;
    this.#note();
    engine.onDurable(() => this.#commit());
  }

  append(slot: number, fields: Partial<LogRecord>): void {
    const record = recordFor(this.engine, slot, fields);
    this.#appended(slot, [record], () => this.engine.append(record));
  }

  drop(slot: number): void {
    this.#appended(slot, snapshotOfNothing(slot), () => this.engine.drop(slot));
  }

  #appended(slot: number, records: readonly LogRecord[], append: () => void): void {
    const { lastLsn, tail } = this.engine.slot(slot);
    const committedLsn = lastLsn - tail.length;
    append();
    for (const record of records) {
      this.twin.append(record, committedLsn);
      this.#note();
    }
    const appended = this.contents.length - 1;
    this.engine.whenSynced(() => this.acknowledged = Math.max(this.acknowledged, appended));
  }

  put(slot: number, key: string, value: string): void {
    this.append(slot, { key, value: bytesOf(value), outcome: 1 });
  }

  remove(slot: number, key: string): void {
    this.append(slot, { kind: RecordKind.Delete, key, outcome: 3 });
  }

  /** Resolves when all that was appended is durable. */
  async durable(): Promise<void> {
    while (this.acknowledged < this.contents.length - 1) {
      if (this.engine.failure !== undefined) throw this.engine.failure;
      await new Promise<void>((resolve) => {
        const cancel = this.engine.onFailure(done);
        this.engine.whenSynced(done);
        function done() {
          cancel();
          resolve();
        }
      });
    }
  }

  #note(): void {
    this.contents.push(this.tracked ? this.twin.content() : "");
  }

  #commit(): void {
    for (let slot = 0; slot < 13; slot++) {
      if (!this.stuck.has(slot)) this.engine.commit(slot, this.engine.slot(slot).durableLsn);
    }
  }
}

/** Runs the steps until they are done or the power goes off, which must not surface as anything but a failure. */
export async function play(
  disk: SimDisk,
  steps: readonly Step[],
  limits: Partial<EngineLimits>,
): Promise<Run | undefined> {
  let run: Run | undefined;
  try {
    run = new Run(await openOn(disk, limits));
    for (const step of steps) await step(run);
    await run.durable();
    await run.engine.close();
  } catch (error) {
    if (!disk.dead) throw error;
  }
  return run;
}

/** Opens what a power loss left, commits it all, and compares it with what the run allows. */
export async function checkAfter(
  left: SimDisk,
  run: Run | undefined,
  limits: Partial<EngineLimits>,
): Promise<Engine> {
  const engine = await openOn(left, limits);
  commitAll(engine);
  const content = contentOf(engine);
  const allowed = run === undefined ? ["[]"] : run.contents.slice(run.acknowledged);
  assert(allowed.includes(content), `found ${content}\nallowed ${allowed.join("\n        ")}`);
  return engine;
}

/** Goes through all combinations of choices, long ranges only at their ends and in the middle. */
export class EveryChoice {
  #picked: { pick: number; readonly count: number }[] = [];
  #depth = 0;

  readonly choose: Choose = (count) => {
    const few = Math.min(count, count > 4 ? 3 : count);
    if (this.#depth === this.#picked.length) this.#picked.push({ pick: 0, count: few });
    const { pick } = this.#picked[this.#depth++]!;
    return few === count ? pick : [0, count >> 1, count - 1][pick]!;
  };

  /** Goes to the next combination; false when all have been. */
  next(): boolean {
    this.#depth = 0;
    while (this.#picked.length > 0) {
      const last = this.#picked[this.#picked.length - 1]!;
      if (++last.pick < last.count) return true;
      this.#picked.pop();
    }
    return false;
  }
}

/** A random step for long runs. */
export function randomStep(random: Random): Step {
  const slot = random.below(4);
  const step = ordinaryStep(slot, random);
  const snapshot = snapshotStep(slot, random);
  const [ofSnapshot, again] = [random.below(8) === 0, random.below(30) === 0];
  return (run) => {
    const open = run.snapshots.has(slot);
    return open || ofSnapshot ? snapshot(run, again) : step(run);
  };
}

/** Begins a snapshot of the slot, or goes on with it. */
function snapshotStep(slot: number, random: Random): (run: Run, again: boolean) => void {
  const [count, seed] = [1 + random.below(3), random.below(2 ** 32)];
  return (run, again) => {
    let left = run.snapshots.get(slot);
    if (left === undefined || again) left = randomSnapshot(run, slot, seeded(seed));
    for (const fields of left.splice(0, count)) run.append(slot, fields);
    if (left.length > 0) run.snapshots.set(slot, left);
    else run.snapshots.delete(slot);
  };
}

/** A snapshot as another copy of the slot might send it. */
function randomSnapshot(run: Run, slot: number, random: Random): Fields[] {
  const { lastLsn, lastEpoch, tail } = run.engine.slot(slot);
  const committedLsn = lastLsn - tail.length;
  const known = run.twin.entries(slot, committedLsn);
  const since = known === undefined ? 0 : random.below(committedLsn + 1);
  // Above `since`: nothing has changed between a state and itself.
  const lsn = Math.max(committedLsn + random.below(4), since + 1);
  const keys = Array.from({ length: 5 }, (_, i) => `k${i}`).filter(() => random.below(3) > 0);
  const entries = keys.map((key) => {
    const version = known?.get(key)?.[1] ?? Infinity;
    if (version <= since) return snapshotKeep(key, version);
    return snapshotPut(
      key,
      since + 1 + random.below(lsn - since),
      "s".repeat(random.below(100)),
    );
  });
  const epoch = Math.max(1, lastEpoch + random.below(2));
  return [snapshotBegin(lsn, epoch, since), ...entries, snapshotEnd(lsn, epoch)];
}

function ordinaryStep(slot: number, random: Random): Step {
  const key = `k${random.below(5)}`;
  const kind = random.below(23);
  if (kind === 22) return (run) => run.drop(slot);
  if (kind >= 20) return cutStep(slot, random.number());
  if (kind < 10) return (run) => run.put(slot, key, "v".repeat(random.below(200)));
  if (kind < 13) return (run) => run.remove(slot, key);
  if (kind < 15) {
    const clientId = `client-id-${random.below(3)}-----`;
    const fields = { key, clientId, value: bytesOf("by client"), outcome: 2 };
    return (run) => {
      const sequence = run.contents.length;
      run.append(slot, { ...fields, sequence, lowestUnfinished: Math.max(1, sequence - 3) });
    };
  }
  if (kind === 15) return (run) => run.append(slot, forget(`client-id-${random.below(3)}-----`));
  if (kind === 16) return epochStart(slot);
  if (kind === 17) return (run) => run.engine.checkpoint();
  if (kind === 18) return (run) => void run.engine.checkpoint().catch(() => {});
  return (run) => run.durable();
}

/** Cuts some of what is not committed, and begins an epoch. */
function cutStep(slot: number, share: number): Step {
  return (run) => {
    const { lastLsn, tail } = run.engine.slot(slot);
    const lsn = lastLsn - Math.ceil(tail.length * share);
    run.append(slot, { kind: RecordKind.Truncate, lsn, epoch: run.engine.epochAt(slot, lsn)! });
    epochStart(slot)(run);
  };
}

export const forget = (clientId: string) => ({ kind: RecordKind.Forget, clientId, value: bytesOf(clientId) });

export const epochStart = (slot: number): Step => (run) =>
  run.append(slot, { kind: RecordKind.EpochStart, epoch: run.engine.slot(slot).lastEpoch + 1 });

type Fields = Partial<LogRecord>;

export const snapshotBegin = (lsn: number, epoch: number, since: number, value?: Uint8Array): Fields => (
  { kind: RecordKind.SnapshotBegin, lsn, epoch, sequence: since, value: value ?? bytesOf("") }
);

export const snapshotResults = (value: Uint8Array): Fields => ({ kind: RecordKind.SnapshotResults, value });

export const snapshotPut = (key: string, lsn: number, value: string): Fields => (
  { kind: RecordKind.SnapshotPut, key, lsn, value: bytesOf(value) }
);

export const snapshotKeep = (key: string, lsn: number): Fields => ({
  kind: RecordKind.SnapshotKeep,
  key,
  lsn,
});

export const snapshotEnd = (lsn: number, epoch: number): Fields => ({
  kind: RecordKind.SnapshotEnd,
  lsn,
  epoch,
});
