/**
 * A real cluster, each process on a network host of its own, under faults and with data nodes that join, leave and come
 * back, while `kv bench check` watches its promises.
 *
 *     deno task chaos [--minutes 3] [--every 5] [--seed S] [--rate 500] [--data 3] [--standbys 2] [--history FILE]
 *
 * The same seed draws the same faults as long as the cluster recovers in the same time. Exit code 0: no promise broken.
 */

import { parseArgs } from "@std/cli";
import { Chaos } from "./chaos/run.ts";
import { World } from "./harness/world.ts";
import { TempFolder } from "./harness/folder.ts";
import { enterNetwork } from "./harness/inside.ts";
import type { Network } from "./harness/network.ts";
import { NumberedKeys } from "./harness/numbered_keys.ts";
import { KvProcess } from "./harness/process.ts";

const CLIENTS = 16;
const KEYS = 200;
/** Further keys that nobody writes again: they make the copies worth moving. */
const KEPT_KEYS = 20_000;

export interface ChaosOptions {
  readonly minutes: number;
  /** Seconds from one fault to the next. */
  readonly every: number;
  readonly seed: string;
  /** Operations per second. */
  readonly rate: number;
  readonly data: number;
  readonly standbys: number;
  /** Where the history of operations is to be kept. */
  readonly history?: string | undefined;
}

export const DEFAULTS: ChaosOptions = { minutes: 3, every: 5, seed: "", rate: 600, data: 3, standbys: 2 };

/** Returns the exit code of the check, and 1 when a kept key is missing; rejects when the cluster does not recover from a fault. */
export async function chaos(network: Network, options: ChaosOptions): Promise<number> {
  const { seed, every, minutes } = options;
  const seconds = Math.ceil(minutes * 60);
  console.log(`seed ${seed}`);
  await using folder = await TempFolder.make();
  await using world = await World.start(network, folder.path, options);
  const kept = new NumberedKeys(world.observer.client);
  await kept.fill(KEPT_KEYS);
  await using check = new KvProcess(checkArgs(world.cluster.masterAddresses, seconds, options));
  const run = new Chaos(world, { seed, everyMs: every * 1000, seconds }, console.log);
  try {
    await run.run(check);
  } finally {
    for (const [kind, count] of [...run.counts].toSorted()) {
      console.log(`${String(count).padStart(5)}  ${kind}`);
    }
    console.log(`${String(run.missed).padStart(5)}  times nobody could be hit`);
  }
  const code = await check.ended();
  // The progress on standard error is of interest only when something is wrong.
  if (code !== 0) console.log(check.err.trimEnd());
  console.log(`${check.out.trimEnd()}\nexit code of the check: ${code}`);
  const { count, examples } = await kept.wrong();
  console.log(`${count} of ${KEPT_KEYS} kept keys are missing`, ...examples);
  return count > 0 ? 1 : code;
}

function checkArgs(masters: readonly string[], seconds: number, { rate, history }: ChaosOptions): string[] {
  const load = { seconds, rate, clients: CLIENTS, keys: KEYS };
  const flags = { addr: masters.join(","), ...load, output: "json", "log-level": "warn" };
  const args = Object.entries(flags).flatMap(([name, value]) => [`--${name}`, String(value)]);
  return ["bench", "check", ...args, ...(history === undefined ? [] : ["--history", history])];
}

/** Undefined: they are wrong, and it has been said how. */
function optionsOf(args: readonly string[]): ChaosOptions | undefined {
  const names = [...Object.keys(DEFAULTS), "history"];
  const problems: string[] = [];
  const unknown = (name: string) => {
    problems.push(`unknown argument ${name}; there are --${names.join(", --")}`);
    return false;
  };
  const given = parseArgs([...args], { string: names, unknown });
  const number = (name: "minutes" | "every" | "rate" | "data" | "standbys") => {
    const value = Number(given[name] ?? DEFAULTS[name]);
    if (!(value >= 0)) problems.push(`--${name} ${given[name]} is no number from 0`);
    return value;
  };
  const options = {
    minutes: number("minutes"),
    every: number("every"),
    seed: String(given.seed ?? crypto.randomUUID().slice(0, 8)),
    rate: number("rate"),
    data: number("data"),
    standbys: number("standbys"),
    history: given.history as string | undefined,
  };
  if (problems.length > 0) console.error(problems.join("\n"));
  return problems.length > 0 ? undefined : options;
}

if (import.meta.main) {
  const options = optionsOf(Deno.args);
  Deno.exit(options === undefined ? 2 : await chaos(await enterNetwork(), options));
}
