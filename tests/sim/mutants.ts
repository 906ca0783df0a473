/**
 * `deno task sim:mutants [--only TEXT,TEXT...] [--seeds 500] [--first 1] [--jobs 2]`: plants one fault at a time in a
 * copy of the program and looks after how many seeds the simulation finds it. Ends with a table and a verdict. Exit
 * code 1: one was not found, or its place in the program is gone.
 */

import { parseArgs } from "@std/cli";
import { type Edit, PLANTED, type Planted } from "./planted.ts";
import type { RunReport } from "./run.ts";
import { reportsOf } from "./worker.ts";

const ROOT = new URL("../../", import.meta.url).pathname;
const COPIED = ["core", "proto", "tests/sim", "deno.json", "deno.lock"];

interface Result {
  readonly planted: Planted;
  /** Seeds run until it was found; undefined: it was not. */
  readonly seeds: number | undefined;
  readonly text: string;
}

interface Seeds {
  readonly first: number;
  readonly seeds: number;
}

async function tryOne(planted: Planted, seeds: Seeds): Promise<Result> {
  const root = await Deno.makeTempDir({ prefix: "kv-mutant-" });
  try {
    for (const name of COPIED) copy(`${ROOT}/${name}`, `${root}/${name}`);
    for (const edit of [planted, ...planted.also ?? []]) {
      const places = plant(edit, root);
      if (places === 1) continue;
      return { planted, seeds: undefined, text: `its place is there ${places} times in ${edit.file}` };
    }
    return await look(planted, root, seeds);
  } finally {
    await Deno.remove(root, { recursive: true });
  }
}

/** Changes the copy; returns how often the place was there, and changes nothing unless that is once. */
function plant({ file, find, replace }: Edit, root: string): number {
  const path = `${root}/${file}`;
  const text = Deno.readTextFileSync(path);
  const places = text.split(find).length - 1;
  if (places === 1) Deno.writeTextFileSync(path, text.replace(find, () => replace));
  return places;
}

/** Runs seeds in the changed copy until one fails. */
async function look(planted: Planted, root: string, seeds: Seeds): Promise<Result> {
  let run = 0;
  let found: RunReport | undefined;
  const flags = { ...seeds, stride: 1, operations: 2000 };
  const failed = await reportsOf(`${root}/tests/sim/main.ts`, flags, (report) => {
    run++;
    if (report.violations.length > 0) found = report;
    return found === undefined;
  }).then(() => undefined, (error) => error as Error);
  if (found === undefined) {
    return { planted, seeds: undefined, text: failed?.message ?? `not found in ${run} seeds` };
  }
  const text = `seed ${found.seed}: ${found.violations[0]!.split("\n")[0]!.slice(0, 150)}`;
  return { planted, seeds: run, text };
}

function copy(from: string, to: string): void {
  if (Deno.statSync(from).isFile) return Deno.copyFileSync(from, to);
  Deno.mkdirSync(to, { recursive: true });
  for (const { name } of Deno.readDirSync(from)) copy(`${from}/${name}`, `${to}/${name}`);
}

/** One line per fault, in the order of the list, and the verdict. */
function summary(results: readonly Result[], seeds: number): string {
  const missed = results.filter((result) => result.seeds === undefined);
  const byPlace = results.toSorted((a, b) => PLANTED.indexOf(a.planted) - PLANTED.indexOf(b.planted));
  const rows = byPlace.map(({ planted, seeds }) => `${String(seeds ?? "-").padStart(6)}  ${planted.name}`);
  const verdict = missed.length === 0
    ? `all ${results.length} planted faults found, each within ${seeds} seeds`
    : `${results.length - missed.length} of ${results.length} planted faults found within ${seeds} seeds`;
  return [
    "",
    " seeds  planted fault",
    ...rows,
    ...missed.map(({ planted, text }) => `NOT FOUND: ${planted.name} (${planted.why}): ${text}`),
    verdict,
  ].join("\n");
}

async function main(): Promise<number> {
  const flags = parseArgs(Deno.args, { string: ["only", "seeds", "first", "jobs"] });
  const only = String(flags.only ?? "").split(",");
  const seeds = { first: Number(flags.first ?? 1), seeds: Number(flags.seeds ?? 500) };
  const queue = PLANTED.filter(({ name }) => only.some((text) => name.includes(text)));
  const results: Result[] = [];
  const work = async () => {
    for (let planted = queue.shift(); planted !== undefined; planted = queue.shift()) {
      const result = await tryOne(planted, seeds);
      results.push(result);
      const outcome = result.seeds === undefined ? "NOT FOUND" : `found after ${result.seeds} seeds`;
      console.log(`${planted.name.padEnd(52)} ${outcome.padEnd(24)} ${result.text}`);
    }
  };
  await Promise.all(Array.from({ length: Number(flags.jobs ?? 2) }, work));
  console.log(summary(results, seeds.seeds));
  return results.length > 0 && results.every((result) => result.seeds !== undefined) ? 0 : 1;
}

Deno.exit(await main());
