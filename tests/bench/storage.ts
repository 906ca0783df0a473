/**
 * The storage engine alone, on this machine's disk: durable puts (append, sync, commit) of 16-byte keys and 100-byte
 * values at 1 and at 256 in flight, reads, memory per million keys, and the time to open a folder of a million keys.
 *
 *   deno task bench:storage [--seconds 5] [--keys 1000000] [--dir FOLDER] [--json]
 */
import { parseArgs } from "@std/cli";
import { systemClock } from "../../core/platform/clock.ts";
import { systemDisk } from "../../core/platform/disk.ts";
import { stderrLog } from "../../core/platform/log.ts";
import { systemRandom } from "../../core/platform/random.ts";
import { fnv1a32Binary } from "../../core/ring/hash.ts";
import { Engine, RecordKind } from "../../core/storage/engine.ts";

const MSN = 137;
/** Another one for each process, as with clients: sequences begin at 1. */
const CLIENT = String(Deno.pid).padStart(16, "c");

const flags = parseArgs(Deno.args, { string: ["seconds", "keys", "dir", "part"], boolean: ["json"] });
const seconds = Number(flags.seconds ?? 5);
const keyCount = Number(flags.keys ?? 1_000_000);
/** Beside the program, as a temporary folder may be in memory. */
const folder = String(flags.dir ?? Deno.makeTempDirSync({ dir: ".", prefix: "bench-storage-" }));

const keyOf = (i: number) => String(i).padStart(16, "k");
const value = new Uint8Array(100).fill(120);

function openEngine(): Promise<Engine> {
  return Engine.open({
    clock: systemClock,
    random: systemRandom,
    disk: systemDisk,
    log: stderrLog("warn", "bench"),
    folder,
    clusterId: "bench",
    settings: { msn: MSN, hash: "fnv1a32", levels: 2 },
  });
}

/** Appends puts and commits what is durable; calls back for each put when it is committed. */
class Writer {
  readonly #waiting = Array.from({ length: MSN }, (): [lsn: number, done: () => void][] => []);
  #sequence = 0;

  constructor(readonly engine: Engine) {
    engine.onDurable((slots) => {
      for (const slot of slots) this.#settle(slot);
    });
  }

  put(key: string, done: () => void): void {
    const hash = fnv1a32Binary(key);
    const slot = hash % MSN;
    const lsn = this.engine.slot(slot).lastLsn + 1;
    const sequence = ++this.#sequence;
    const lowestUnfinished = Math.max(1, sequence - 256);
    this.engine.append({
      ...{ kind: RecordKind.Put, slot, epoch: 1, lsn, key, hash, value },
      ...{ clientId: CLIENT, sequence, lowestUnfinished, outcome: 1 },
    });
    this.#waiting[slot]!.push([lsn, done]);
  }

  #settle(slot: number): void {
    const { durableLsn } = this.engine.slot(slot);
    this.engine.commit(slot, durableLsn);
    const waiting = this.#waiting[slot]!;
    let settled = 0;
    while (settled < waiting.length && waiting[settled]![0] <= durableLsn) settled++;
    for (const [, done] of waiting.splice(0, settled)) done();
  }
}

/** Keeps `inFlight` puts under way until `more` is false; returns their latencies in milliseconds. */
async function load(engine: Engine, inFlight: number, more: (started: number) => boolean): Promise<number[]> {
  const writer = new Writer(engine);
  const latencies: number[] = [];
  let started = 0;
  await Promise.all(Array.from({ length: inFlight }, async () => {
    while (more(started)) {
      const startMs = performance.now();
      const key = keyOf((started++ * 7919) % keyCount);
      await new Promise<void>((done) => writer.put(key, done));
      latencies.push(performance.now() - startMs);
    }
  }));
  return latencies;
}

function percentile(sorted: number[], share: number): number {
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? NaN;
}

const results: Record<string, number> = {};

function report(name: string, number: number, unit: string): void {
  results[name] = number;
  if (!flags.json) {
    console.log(`${name.padEnd(44)} ${number.toLocaleString("en-US", { maximumFractionDigits: 3 })} ${unit}`);
  }
}

async function puts(engine: Engine, inFlight: number): Promise<void> {
  const untilMs = performance.now() + seconds * 1000;
  const startMs = performance.now();
  const latencies = (await load(engine, inFlight, () => performance.now() < untilMs)).sort((a, b) => a - b);
  const elapsedMs = performance.now() - startMs;
  report(`puts, ${inFlight} in flight`, (latencies.length / elapsedMs) * 1000, "durable puts/s");
  report(`puts, ${inFlight} in flight, p50`, percentile(latencies, 0.5), "ms");
  report(`puts, ${inFlight} in flight, p99`, percentile(latencies, 0.99), "ms");
}

function gets(engine: Engine): void {
  const startMs = performance.now();
  const count = 500_000;
  for (let i = 0; i < count; i++) {
    const key = keyOf((i * 104729) % keyCount);
    const hash = fnv1a32Binary(key);
    if (engine.read(hash % MSN, key, hash) === undefined) throw new Error(`${key} is missing`);
  }
  report("gets of random keys", (count / (performance.now() - startMs)) * 1000, "gets/s");
}

const MIB = 1 << 20;

function memory(when: string): void {
  report(`memory of the process, ${when}`, Deno.memoryUsage().rss / MIB, "MiB");
}

async function fill(): Promise<void> {
  const engine = await openEngine();
  const startMs = performance.now();
  await load(engine, 4096, (started) => started < keyCount);
  report("filling, 4096 in flight", (keyCount / (performance.now() - startMs)) * 1000, "durable puts/s");
  await engine.close();
}

async function measure(): Promise<void> {
  memory("empty");
  const startMs = performance.now();
  const engine = await openEngine();
  report(`start with ${keyCount} keys`, performance.now() - startMs, "ms");
  memory(`after the start with ${keyCount} keys`);
  await puts(engine, 1);
  await puts(engine, 256);
  memory("after the puts");
  gets(engine);
  memory("after the gets");
  await engine.close();
}

/** Runs a part in a process of its own, so that what it measures is not what was before. */
async function inProcess(part: string): Promise<void> {
  const own = ["--part", part, "--dir", folder, "--keys", String(keyCount), "--seconds", String(seconds)];
  const json = flags.json ? ["--json"] : [];
  const args = ["run", "-A", "--config", "deno.json", import.meta.filename!, ...own, ...json];
  const { success } = await new Deno.Command(Deno.execPath(), { args, stdout: "inherit", stderr: "inherit" })
    .output();
  if (!success) throw new Error(`the part ${part} failed`);
}

if (flags.part === "fill") await fill();
else if (flags.part === "measure") await measure();
else {
  try {
    await inProcess("fill");
    await inProcess("measure");
  } finally {
    if (flags.dir === undefined) Deno.removeSync(folder, { recursive: true });
  }
}
if (flags.json && flags.part !== undefined) console.log(JSON.stringify(results));
