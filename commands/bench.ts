import { clientFlags, type Command, type Context, UsageError } from "./framework/command.ts";
import type { Bench } from "./bench/operations.ts";
import { didYouMean } from "../core/platform/suggest.ts";
import { ExitCode, exitCodeOf } from "./framework/exit_code.ts";

const NAMES = ["sequential", "concurrent", "crazyloop"];

export const command: Command = {
  usage: "bench sequential|concurrent|crazyloop [flags]",
  description: `Runs a script of operations on the keys os, ds, ca and st and prints the outcome of each.
sequential   one after the other, then a dump
concurrent   a writer and three numbered readers of one key, then a dump
crazyloop    on and on until a signal (or --count or --seconds), with a running tally: for watching what a failure does`,
  examples: [
    "kv bench sequential --addr :9666,127.0.0.1:9667",
    "kv bench crazyloop --addr :9666,:9667 --seconds 60",
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
      description: "crazyloop: stop after N seconds",
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
  ],
  async run(context) {
    const name = context.args[0]!;
    if (!NAMES.includes(name)) {
      throw new UsageError(
        `unknown bench "${name}"${didYouMean(name, NAMES)}: there are ${NAMES.join(", ")}`,
      );
    }
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
  return ExitCode.done;
}
