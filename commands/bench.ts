import { clientFlags, type Command, type Context, UsageError } from "./framework/command.ts";
import type { Bench } from "./bench/operations.ts";
import { checkFlags } from "./bench/check/flags.ts";
import { refuseTyped } from "./framework/misplaced.ts";
import { didYouMean } from "../core/platform/suggest.ts";
import { ExitCode, exitCodeOf } from "./framework/exit_code.ts";

/** The flags of each, beside those of every client. */
const FLAGS: Readonly<Record<string, readonly string[]>> = {
  sequential: [],
  concurrent: [],
  crazyloop: ["count", "seconds", "interval-ms"],
  check: ["seconds", ...checkFlags.map((flag) => flag.name)],
};
const NAMES = Object.keys(FLAGS);

export const command: Command = {
  usage: "bench sequential|concurrent|crazyloop|check [flags]",
  description:
    `The first three run a script of operations on the keys os, ds, ca and st and print the outcome of each.
sequential   one after the other, then a dump
concurrent   a writer and three numbered readers of one key, then a dump
crazyloop    on and on until a signal (or --count or --seconds), with a running tally: for watching what a failure does.
             The exit code is that of the last error when every operation failed, else 0
check        checks that nothing is lost: clients get, put and delete at a given rate, on keys of their own, and every
             answer is checked. Kill, stop and cut off servers meanwhile. In the end all keys are read once more, by a
             new client, and removed. The verdict counts operations, unknown outcomes, the longest time for which a key
             did not answer, and violations, with the operations that show them:
               lost        an acknowledged write is missing
               duplicated  a write took effect twice
               stale       an answer was older than another before it
               other       such as a write that is seen though it had failed
             Exit codes: 0 passed, 1 violated, 3 the cluster could not be reached, 6 neither passed nor violated: the
             checker gave up on a key, or a key could not be read at the end.
             The lines of a history are {"client","key","request","value","ifAbsent","ifVersion","answer","version",
             "existed","epoch","error","callUs","returnUs"}; what does not apply is left out. A history whose run
             was killed lacks the operations that were under way, and is of no use.`,
  examples: [
    "kv bench sequential --addr :9666,127.0.0.1:9667",
    "kv bench crazyloop --addr :9666,:9667 --seconds 60",
    "kv bench check --addr :9666,:9667 --seconds 60 --rate 1000 --history run.jsonl",
    "kv bench check --verify run.jsonl --output json",
  ],
  arity: [1, 1],
  flags: [
    ...clientFlags,
    {
      name: "count",
      kind: "integer",
      min: 1,
      placeholder: "N",
      description: "crazyloop: stop after N operations",
    },
    {
      name: "seconds",
      kind: "integer",
      min: 1,
      placeholder: "N",
      description:
        "crazyloop: stop after N seconds; check: load for N seconds (30 without it); N times --rate is at " +
        "most 20000000, for the history is kept in memory until the verdict",
    },
    {
      name: "interval-ms",
      kind: "integer",
      min: 0,
      max: 60_000,
      placeholder: "MS",
      default: "100",
      description: "crazyloop: pause between two operations",
    },
    ...checkFlags,
  ],
  async run(context) {
    const name = context.args[0]!;
    if (!NAMES.includes(name)) {
      throw new UsageError(
        `unknown bench "${name}"${didYouMean(name, NAMES)}: there are ${NAMES.join(", ")}`,
      );
    }
    const others = Object.values(FLAGS).flat().filter((flag) => !FLAGS[name]!.includes(flag));
    refuseTyped(context.typed, others, (flag) => `${flag} does not belong to kv bench ${name}`);
    if (name === "check") return await (await import("./bench/check.ts")).runBenchCheck(context);
    const { io } = context;
    const bench = { client: await context.connect(), print: (text: string) => io.out(text) };
    if (name === "crazyloop") return await runCrazyloop(context, bench);
    const { sequential, concurrent } = await import("./bench/scripts.ts");
    const errors = await (name === "sequential" ? sequential(bench) : concurrent(bench));
    return errors.length === 0 ? ExitCode.done : exitCodeOf(errors[0]);
  },
};

async function runCrazyloop(
  { io, flags }: Context,
  bench: Bench,
): Promise<number> {
  const [{ crazyloop, tallyText }, { stopSignal }, { systemClock }] = await Promise.all([
    import("./bench/crazyloop.ts"),
    import("./framework/signals.ts"),
    import("../core/platform/clock.ts"),
  ]);
  const bounds = {
    count: flags.integer("count"),
    seconds: flags.integer("seconds"),
    intervalMs: flags.integer("interval-ms") ?? 0,
  };
  const tally = await crazyloop(
    bench,
    systemClock,
    bounds,
    stopSignal(io, ["SIGINT", "SIGTERM"]).then(() => {}),
  );
  io.out(tallyText(tally));
  const allFailed = tally.operations > 0 && tally.errors === tally.operations;
  return allFailed ? exitCodeOf(tally.lastError) : ExitCode.done;
}
