/**
 * The simulation's command: `deno task sim --seed N [--trace]` replays one seed, `deno task sim --seeds 1000` runs many.
 * Exit code 1: some seed violated an invariant.
 */

import { parseArgs } from "@std/cli";
import { availableParallelism } from "node:os";
import { type RunReport, runSeed } from "./run.ts";
import { Summary } from "./summary.ts";
import { reportsOf } from "./worker.ts";

const USAGE = `Usage: deno task sim --seed N [--trace] [--operations 2000]
       deno task sim --seeds COUNT [--first N] [--jobs 2] [--operations 2000]
Example: deno task sim --seeds 1000 --first 1`;

interface Options {
  readonly first: number;
  readonly seeds: number;
  /** From one seed to the next. */
  readonly stride: number;
  readonly jobs: number;
  readonly operations: number;
}

/** Calls `found` with the report of each seed, computed in this process. */
async function runHere(options: Options, found: (report: RunReport) => void): Promise<void> {
  // Errors are everyday things here; their stacks would take a tenth of the time. A replay has them.
  Error.stackTraceLimit = 0;
  for (let i = 0; i < options.seeds; i++) {
    found(await runSeed(options.first + i * options.stride, { operations: options.operations }));
  }
}

/** The same by worker processes, each of which takes every `jobs`-th seed. */
async function runInWorkers(options: Options, found: (report: RunReport) => void): Promise<void> {
  const { first, seeds, jobs, operations } = options;
  await Promise.all(Array.from({ length: jobs }, (_, job) => {
    const flags = { first: first + job, seeds: Math.ceil((seeds - job) / jobs), stride: jobs, operations };
    return reportsOf(import.meta.filename!, flags, (report) => {
      found(report);
      return true;
    });
  }));
}

async function replay(seed: number, operations: number, trace: boolean): Promise<number> {
  const onTrace = trace ? (line: string) => console.log(line) : () => {};
  const report = await runSeed(seed, { operations, onTrace });
  console.log(JSON.stringify(report, undefined, 2));
  const [problem] = [...report.violations, ...report.gaveUp];
  if (problem !== undefined) console.log(`seed ${seed}: ${problem}`);
  return problem === undefined ? 0 : 1;
}

async function runMany(options: Options): Promise<number> {
  const last = options.first + options.seeds - 1;
  console.log(`seeds ${options.first} to ${last}, ${options.operations} operations each`);
  const summary = new Summary();
  const found = (report: RunReport) => {
    summary.add(report);
    const [problem] = [...report.violations, ...report.gaveUp];
    if (problem !== undefined) console.log(`seed ${report.seed}: ${problem}`);
  };
  const startMs = performance.now();
  await (options.jobs > 1 ? runInWorkers(options, found) : runHere(options, found));
  console.log(summary.text(performance.now() - startMs));
  return summary.passed ? 0 : 1;
}

function countOf(value: unknown, name: string, otherwise: number): number {
  if (value === undefined) return otherwise;
  const count = Number(value);
  if (Number.isSafeInteger(count) && count >= 0) return count;
  console.error(`--${name} ${value} is not a whole number\n${USAGE}`);
  Deno.exit(2);
}

async function main(): Promise<number> {
  const flags = parseArgs(Deno.args, {
    string: ["seed", "seeds", "first", "stride", "jobs", "operations"],
    boolean: ["trace", "worker", "help"],
    unknown: (argument) => {
      console.error(`unknown argument ${argument}\n${USAGE}`);
      Deno.exit(2);
    },
  });
  if (flags.help) {
    console.log(USAGE);
    return 0;
  }
  const operations = countOf(flags.operations, "operations", 2000);
  if (flags.seed !== undefined) {
    return await replay(countOf(flags.seed, "seed", 0), operations, flags.trace === true);
  }
  const options: Options = {
    first: countOf(flags.first, "first", 1),
    seeds: countOf(flags.seeds, "seeds", 100),
    stride: countOf(flags.stride, "stride", 1),
    jobs: countOf(flags.jobs, "jobs", Math.min(2, availableParallelism())),
    operations,
  };
  if (flags.worker !== true) return await runMany(options);
  await runHere(options, (report) => console.log(JSON.stringify(report)));
  return 0;
}

Deno.exit(await main());
