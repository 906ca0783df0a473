/**
 * `deno task sim:mutants [--only TEXT] [--seeds 300] [--jobs 2]`: plants one fault at a time in a copy of the program
 * and looks whether the simulation finds it. Exit code 1: one was not found, or its place in the program is gone.
 */

import { parseArgs } from "@std/cli";
import { PLANTED, type Planted } from "./planted.ts";
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

async function tryOne(planted: Planted, seeds: number, first: number): Promise<Result> {
  const root = await Deno.makeTempDir({ prefix: "kv-mutant-" });
  try {
    for (const name of COPIED) copy(`${ROOT}/${name}`, `${root}/${name}`);
    const path = `${root}/${planted.file}`;
    const text = Deno.readTextFileSync(path);
    const places = text.split(planted.find).length - 1;
    if (places !== 1) {
      return { planted, seeds: undefined, text: `its place is there ${places} times in ${planted.file}` };
    }
    Deno.writeTextFileSync(path, text.replace(planted.find, () => planted.replace));
    return await look(planted, root, seeds, first);
  } finally {
    await Deno.remove(root, { recursive: true });
  }
}

/** Runs seeds in the changed copy until one fails. */
async function look(planted: Planted, root: string, seeds: number, first: number): Promise<Result> {
  let run = 0;
  let found: RunReport | undefined;
  const flags = { first, seeds, stride: 1, operations: 2000 };
  const failed = await reportsOf(`${root}/tests/sim/main.ts`, flags, (report) => {
    run++;
    if (report.violations.length > 0) found = report;
    return found === undefined;
  }).then(() => undefined, (error) => error as Error);
  if (found !== undefined) {
    return {
      planted,
      seeds: run,
      text: `seed ${found.seed}: ${found.violations[0]!.split("\n")[0]!.slice(0, 150)}`,
    };
  }
  return { planted, seeds: undefined, text: failed?.message ?? `not found in ${run} seeds` };
}

function copy(from: string, to: string): void {
  if (Deno.statSync(from).isFile) return Deno.copyFileSync(from, to);
  Deno.mkdirSync(to, { recursive: true });
  for (const { name } of Deno.readDirSync(from)) copy(`${from}/${name}`, `${to}/${name}`);
}

async function main(): Promise<number> {
  const flags = parseArgs(Deno.args, { string: ["only", "seeds", "first", "jobs"] });
  const chosen = PLANTED.filter(({ name }) => name.includes(String(flags.only ?? "")));
  const queue = [...chosen];
  const results: Result[] = [];
  const work = async () => {
    for (let planted = queue.shift(); planted !== undefined; planted = queue.shift()) {
      const result = await tryOne(planted, Number(flags.seeds ?? 300), Number(flags.first ?? 1));
      results.push(result);
      const outcome = result.seeds === undefined ? "NOT FOUND" : `found after ${result.seeds} seeds`;
      console.log(`${planted.name.padEnd(52)} ${outcome.padEnd(24)} ${result.text}`);
    }
  };
  await Promise.all(Array.from({ length: Number(flags.jobs ?? 2) }, work));
  const missed = results.filter(({ seeds }) => seeds === undefined);
  console.log(`${chosen.length - missed.length} of ${chosen.length} planted faults found`);
  for (const { planted } of missed) {
    console.log(`NOT FOUND: ${planted.name} (${planted.file}): ${planted.why}`);
  }
  return missed.length === 0 ? 0 : 1;
}

Deno.exit(await main());
