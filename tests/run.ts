/**
 * Runs all tests, stage by stage, and prints one closing line for all of them: `N passed, N failed`. scripts/test
 * starts this when everything it needs is installed.
 *
 *   scripts/test [--only STAGE]...    STAGE: a name of `STAGES` below
 */

import { parseArgs } from "@std/cli";
import { Ensemble } from "../scripts/zk_ensemble.ts";
import { removeAbandonedNetworks, whyNoNetwork } from "./e2e/harness/network.ts";

interface Count {
  readonly passed: number;
  readonly failed: number;
}

interface Stage {
  readonly name: string;
  /** A program with its arguments that counts as one test, or test files whose tests are counted one by one. */
  readonly run: { readonly command: readonly string[] } | { readonly tests: readonly string[] };
  readonly env?: Readonly<Record<string, string>>;
  /** The stage is ended and counted as failed after this time. All together stay within half an hour. */
  readonly minutesMax: number;
}

const project = `${import.meta.dirname}/../`;
const deno = `${project}scripts/deno`;
const binary = `${project}bin/kv`;

/** Three minutes of faults are enough once. */
const NO_CHAOS = "--ignore=tests/e2e/chaos_test.ts";

const STAGES: readonly Stage[] = [
  { name: "format", run: { command: [deno, "fmt", "--check"] }, minutesMax: 1 },
  { name: "lint", run: { command: [deno, "lint", "--quiet"] }, minutesMax: 1 },
  { name: "types", run: { command: [deno, "check", "--quiet", "--frozen"] }, minutesMax: 2 },
  { name: "unit", run: { tests: ["--parallel", "--trace-leaks", "tests/unit"] }, minutesMax: 6 },
  { name: "simulation", run: { command: simulation() }, minutesMax: 8 },
  { name: "zookeeper", run: { tests: ["tests/zookeeper"] }, minutesMax: 3 },
  { name: "e2e", run: { tests: ["tests/e2e"] }, minutesMax: 18 },
  { name: "build", run: { command: [`${project}scripts/build`] }, minutesMax: 3 },
  { name: "e2e-built", run: { tests: [NO_CHAOS, "tests/e2e"] }, env: { KV_BIN: binary }, minutesMax: 14 },
];

/** Fresh seeds each time, from the clock. It says which they are; each can be run again: `deno task sim --seed N`. */
function simulation(): string[] {
  const first = Math.floor(Date.now() / 1000);
  return [deno, "task", "--quiet", "sim", "--first", String(first), "--seeds", "200"];
}

/** Runs the stage with its output passed through, and counts. Crashes, time-outs and empty stages are failures. */
async function runStage(stage: Stage): Promise<Count> {
  // All that the tests write lies in here, so that nothing is left, however they end.
  const folder = await Deno.makeTempDir({ prefix: "kv-test-" });
  const report = `${folder}/report.xml`;
  try {
    const [program, ...args] = "command" in stage.run ? stage.run.command : denoTest(stage.run.tests, report);
    const success = await runProgram(program!, args, stage, folder);
    if ("command" in stage.run) return success ? { passed: 1, failed: 0 } : { passed: 0, failed: 1 };
    const count = countOf(await Deno.readTextFile(report).catch(() => ""));
    const sound = success ? count.passed > 0 : count.failed > 0;
    return sound ? count : { ...count, failed: count.failed + 1 };
  } finally {
    if (whyNoNetwork() === undefined) removeAbandonedNetworks();
    await stopEnsembles(folder);
    await Deno.remove(folder, { recursive: true });
  }
}

/** ZooKeeper's servers are in no process group of ours; a test run that was cut off leaves them. */
async function stopEnsembles(folder: string): Promise<void> {
  for await (const { name, isDirectory } of Deno.readDir(folder)) {
    if (!isDirectory) continue;
    const path = `${folder}/${name}`;
    await Ensemble.find(path)?.stop();
    if (name !== "data") await stopEnsembles(path);
  }
}

function denoTest(files: readonly string[], report: string): string[] {
  const permissions = ["read", "write", "net", "env", "run", "sys"].map((name) => `--allow-${name}`);
  return [deno, "test", "--quiet", "--no-prompt", ...permissions, `--junit-path=${report}`, ...files];
}

/** The tests of a JUnit report (steps count too, ignored ones do not); none when the run ended before it was written. */
function countOf(report: string): Count {
  const total = report.match(/<testsuites [^>]*tests="(\d+)" failures="(\d+)" errors="(\d+)"/);
  if (total === null) return { passed: 0, failed: 0 };
  const [tests, failures, errors] = total.slice(1).map(Number);
  const ignored = [...report.matchAll(/<testsuite [^>]*disabled="(\d+)"/g)]
    .reduce((sum, match) => sum + Number(match[1]), 0);
  const failed = failures! + errors!;
  return { passed: tests! - failed - ignored, failed };
}

/** In a process group of its own, so that whatever the program has started can be ended with it, and nothing else. */
async function runProgram(
  program: string,
  args: readonly string[],
  stage: Stage,
  folder: string,
): Promise<boolean> {
  const child = new Deno.Command(program, {
    args: [...args],
    cwd: project,
    env: { ...stage.env, TMPDIR: folder, ...(Deno.stdout.isTerminal() ? {} : { NO_COLOR: "1" }) },
    stdin: "null",
    detached: true,
  }).spawn();
  const endGroup = (signal: Deno.Signal) => {
    try {
      Deno.kill(-child.pid, signal);
    } catch (error) {
      if (!(error instanceof Deno.errors.NotFound)) throw error;
    }
  };
  const onSignal = () => {
    interrupted = true;
    endGroup("SIGKILL");
  };
  const alarm = setTimeout(() => {
    console.error(`${stage.name}: ended after ${stage.minutesMax} minutes`);
    endGroup("SIGKILL");
  }, stage.minutesMax * 60_000);
  const signals = ["SIGINT", "SIGTERM", "SIGHUP"] as const;
  signals.forEach((signal) => Deno.addSignalListener(signal, onSignal));
  try {
    return (await child.status).success;
  } finally {
    clearTimeout(alarm);
    signals.forEach((signal) => Deno.removeSignalListener(signal, onSignal));
    endGroup("SIGKILL");
  }
}

function stagesWanted(): readonly Stage[] {
  const { only, _: rest } = parseArgs(Deno.args, { string: ["only"], collect: ["only"] });
  const names = only as string[];
  const unknown = [
    ...rest.map(String),
    ...names.filter((name) => !STAGES.some((stage) => stage.name === name)),
  ];
  if (unknown.length > 0) {
    console.error(
      `unknown stage ${unknown.join(", ")}; there are: ${STAGES.map((stage) => stage.name).join(" ")}`,
    );
    Deno.exit(2);
  }
  return names.length === 0 ? STAGES : STAGES.filter((stage) => names.includes(stage.name));
}

/** By a signal: the stage under way is ended and tidied up, and no other begins. */
let interrupted = false;

const counts: Count[] = [];
for (const stage of stagesWanted()) {
  console.log(`== ${stage.name}`);
  const startedMs = performance.now();
  const count = await runStage(stage);
  const seconds = ((performance.now() - startedMs) / 1000).toFixed(1);
  console.log(`== ${stage.name}: ${count.passed} passed, ${count.failed} failed (${seconds} s)\n`);
  counts.push(count);
  if (interrupted) break;
}
const passed = counts.reduce((sum, count) => sum + count.passed, 0);
const failed = counts.reduce((sum, count) => sum + count.failed, 0);
console.log(`${passed} passed, ${failed} failed`);
Deno.exit(failed > 0 || passed === 0 ? 1 : 0);
