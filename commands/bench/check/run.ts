/** A whole run of `kv bench check`: load, last look at every key, tidying up. */

import type { Client } from "../../../core/client/api.ts";
import type { OperationRecord, Records } from "../../../core/check/records.ts";
import type { Clock, Random } from "../../../core/platform/ports.ts";
import { Load, type LoadOptions } from "./load.ts";
import { Recorder } from "./recorder.ts";

export interface RunOptions extends Omit<LoadOptions, "clients" | "keys"> {
  readonly clients: number;
  readonly keys: number;
  /** Leaves the keys where they are. */
  readonly keepKeys: boolean;
  /** Begins the names of all keys; nobody else may use it. */
  readonly prefix: string;
}

export interface RunContext {
  readonly clock: Clock;
  readonly random: Random;
  /** A new client with connections of its own. */
  readonly connect: () => Promise<Client>;
  /** Is given every operation when it has ended. */
  readonly keep: (record: OperationRecord) => void;
  /** A line for people. */
  readonly report: (line: string) => void;
  /** Ends the load early. */
  readonly stop: Promise<void>;
}

const PROGRESS_MS = 1000;
/** For the last look at a key, which may have to wait for a failover that has just begun. */
const LAST_READ_MS = 60_000;
const LAST_READS_AT_ONCE = 64;
const WARM_UP_KEYS = 100;

/** Rejects when the cluster cannot be reached in the beginning, or the history cannot be kept. */
export async function runCheck(options: RunOptions, context: RunContext): Promise<Records> {
  const { clock, random, connect, keep } = context;
  const clients = await Promise.all(
    Array.from({ length: options.clients }, async (_, i) => ({ name: `c${i + 1}`, client: await connect() })),
  );
  const keys = Array.from({ length: options.keys }, (_, i) => `${options.prefix}-${i}`);
  await Promise.all(clients.map(({ client }) => warmUp(client, keys)));
  const recorder = new Recorder(clock, keep);
  const cancel = clock.every(PROGRESS_MS, progress(recorder, context));
  try {
    await new Load({ ...options, clients, keys }, recorder, clock, random).run(context.stop);
    context.report(`reading all ${keys.length} keys once more, by a new client`);
    const last = { name: "last", client: await connect() };
    await inParallel(keys, async (key) => {
      await recorder.operate(last, key, { kind: "get" }, LAST_READ_MS);
    });
    if (!options.keepKeys) await removeAll(last.client, keys, context);
  } finally {
    cancel();
  }
  return recorder.records;
}

/** Opens the connections, which would otherwise count as unavailability. Rejects when the cluster cannot be reached. */
async function warmUp(client: Client, keys: readonly string[]): Promise<void> {
  await client.ring();
  await client.getMany(keys.slice(0, WARM_UP_KEYS)).catch(() => {});
}

/** `12 s: 500 operations/s, 0 failed, 0 of unknown outcome, 3 in flight, longest pause 12 ms` */
function progress(recorder: Recorder, { report }: RunContext): () => void {
  let operations = 0;
  let atUs = recorder.nowUs;
  return () => {
    const { nowUs, records, failed, unknown, inFlight, longestPauseUs } = recorder;
    const perSecond = Math.round((records.size - operations) / ((nowUs - atUs) / 1e6));
    operations = records.size;
    atUs = nowUs;
    report(
      `${
        Math.round(nowUs / 1e6)
      } s: ${perSecond} operations/s, ${failed} failed, ${unknown} of unknown outcome, ` +
        `${inFlight} in flight, longest pause ${Math.ceil(longestPauseUs / 1000)} ms`,
    );
  };
}

/** A write of unknown outcome may still put a key back later; nobody can wait for that. */
async function removeAll(client: Client, keys: readonly string[], { report }: RunContext): Promise<void> {
  let left = 0;
  await inParallel(keys, async (key) => {
    await client.delete(key).catch(() => left++);
  });
  if (left > 0) report(`${left} of the run's keys could not be removed`);
}

async function inParallel(keys: readonly string[], act: (key: string) => Promise<void>): Promise<void> {
  const queue = keys.values();
  const work = async () => {
    for (const key of queue) await act(key);
  };
  await Promise.all(Array.from({ length: LAST_READS_AT_ONCE }, work));
}
