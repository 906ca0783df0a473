/** `kv bench check`: a load whose history proves something, and the verdict. */

import { systemClock } from "../../core/platform/clock.ts";
import { systemDisk } from "../../core/platform/disk.ts";
import { systemRandom } from "../../core/platform/random.ts";
import { judge } from "../../core/check/verdict.ts";
import type { Records } from "../../core/check/records.ts";
import { type Context, UsageError } from "../framework/command.ts";
import { jsonLine } from "../framework/io.ts";
import { stopSignal } from "../framework/signals.ts";
import { HistoryWriter, readHistory } from "./check/history_file.ts";
import { parseMix } from "./check/mix.ts";
import { verdictExitCode, verdictJson, verdictText } from "./check/print.ts";
import { runCheck, type RunOptions } from "./check/run.ts";

/** At 64 bytes each beside what the checker needs: a few GB. */
const OPERATIONS_MAX = 20_000_000;

/** Runs the load, or takes a kept history, and prints the verdict. Resolves with the exit code. */
export async function runBenchCheck(context: Context): Promise<number> {
  const { flags, io } = context;
  const path = flags.text("verify");
  if (path !== undefined && flags.text("history") !== undefined) {
    throw new UsageError(
      "--verify checks a history that was kept before, --history keeps one: give one of them",
    );
  }
  const records = path === undefined ? await load(context) : await readHistory(systemDisk, path);
  io.err(`checking ${records.size} operations`);
  const verdict = judge(records);
  io.out(flags.required("output") === "json" ? jsonLine(verdictJson(verdict)) : verdictText(verdict));
  return verdictExitCode(verdict);
}

async function load(context: Context): Promise<Records> {
  const { flags, io } = context;
  const options = runOptions(context);
  const path = flags.text("history");
  const writer = path === undefined ? undefined : new HistoryWriter(systemDisk, path);
  try {
    return await runCheck(options, {
      clock: systemClock,
      random: systemRandom,
      connect: () => context.connect(),
      keep: (record) => writer?.add(record),
      report: (line) => io.err(line),
      stop: stopSignal(io, ["SIGINT", "SIGTERM"]).then(() => {}),
    });
  } finally {
    writer?.close();
  }
}

function runOptions({ flags, config }: Context): RunOptions {
  const rate = flags.integer("rate")!;
  const seconds = flags.integer("seconds") ?? 30;
  if (rate * seconds > OPERATIONS_MAX) {
    throw new UsageError(
      `--rate ${rate} for --seconds ${seconds} makes ${
        rate * seconds
      } operations, and the history, which is kept in ` +
        `memory until the verdict, takes ${OPERATIONS_MAX}: at this rate give at most ` +
        `--seconds ${Math.floor(OPERATIONS_MAX / rate)}`,
    );
  }
  return {
    rate,
    durationMs: seconds * 1000,
    clients: flags.integer("clients")!,
    keys: flags.integer("keys")!,
    mix: parseMix(flags.required("mix")),
    timeoutMs: config.timeoutMs,
    keepKeys: flags.boolean("keep"),
    prefix: `check-${systemRandom.uuid().slice(0, 8)}`,
  };
}
