/** All keys of the cluster, each slot from the node that owns it. */

import type { DumpPage, DumpRequest } from "../../proto/gen/kv/v1/kv.ts";
import { KvError, messageOf, UnreachableError } from "../platform/errors.ts";
import type { Address, Clock, Incoming, Random, Transport } from "../platform/ports.ts";
import { ownersOf } from "../ring/owners.ts";
import { type Ring, type RingNode, sameRef } from "../ring/ring.ts";
import { kv } from "../rpc/methods.ts";
import type { DumpedEntry, NodeDump } from "./api.ts";
import { backoffMs } from "./backoff.ts";
import type { RingSource } from "./ring_source.ts";

export interface DumpContext {
  readonly clock: Clock;
  readonly random: Random;
  readonly transport: Transport;
  readonly source: RingSource;
  readonly keysOnly: boolean;
  /** How long a node may be silent, and how long nothing may come from any of them. */
  readonly timeoutMs: number;
  /** Aborted when the client is closed. */
  readonly signal: AbortSignal;
}

/**
 * See `Client.dump`. Goes round the nodes until no slot is missing: one that changed hands, or whose owner did not
 * answer, is asked for again in the next round, where the newest ring says.
 */
export async function* dump(context: DumpContext): AsyncGenerator<NodeDump> {
  const { clock, random, source, keysOnly, timeoutMs } = context;
  let ring = await source.wait(timeoutMs);
  const missing = new Set(ring.slots.keys().filter((slot) => ring.slots[slot]!.owner !== undefined));
  let progressMs = clock.monotonicMs();
  for (let round = 1;; round++) {
    let failure: KvError | undefined;
    for (const node of ownersOf(ring)) {
      const slots = slotsOf(ring, node, missing);
      if (slots.length === 0 && round > 1) continue;
      try {
        const entries = slots.length === 0 ? [] : await dumpNode(context, node.address, { slots, keysOnly });
        for (const slot of slots) missing.delete(slot);
        yield { node, entries };
        progressMs = clock.monotonicMs();
      } catch (error) {
        failure ??= dumpError(node, error);
      }
    }
    if (missing.size === 0) return;
    if (context.signal.aborted || clock.monotonicMs() - progressMs >= timeoutMs) {
      throw failure ?? new KvError("unavailable", `dump: slots ${[...missing].join(", ")} have no node`);
    }
    await Promise.all([source.ask(), pause(context, backoffMs(round, random))]);
    ring = source.current ?? ring;
  }
}

function slotsOf(ring: Ring, node: RingNode, missing: Set<number>): number[] {
  return [...missing].filter((slot) => sameRef(ring.slots[slot]!.owner, node.ref));
}

function dumpError(node: RingNode, error: unknown): KvError {
  const text = `dump of label ${node.label}, node ${node.ref.id} at ${node.address}: ${messageOf(error)}`;
  return error instanceof KvError
    ? new KvError(error.code, text, error.fields, { cause: error })
    : new UnreachableError(text, { cause: error });
}

function dumpNode(context: DumpContext, address: Address, request: DumpRequest): Promise<DumpedEntry[]> {
  const { clock, transport, timeoutMs, signal } = context;
  return new Promise((resolve, reject) => {
    const entries: DumpedEntry[] = [];
    let ended = false;
    const giveUp = (why: string) => {
      end();
      stream.cancel();
      reject(new KvError("unavailable", why));
    };
    const onAbort = () => giveUp("the client was closed");
    const startTimer = () => clock.after(timeoutMs, () => giveUp(`silent for ${timeoutMs} ms`));
    let cancelTimer = startTimer();
    const end = () => {
      ended = true;
      cancelTimer();
      signal.removeEventListener("abort", onAbort);
    };
    const stream = transport.stream(
      address,
      kv.dump,
      {
        message(page) {
          if (ended) return;
          cancelTimer();
          cancelTimer = startTimer();
          for (const entry of page.entries) entries.push(entry);
        },
        closed(error) {
          end();
          if (error === undefined) resolve(entries);
          else reject(error);
        },
      } satisfies Incoming<DumpPage>,
    );
    signal.addEventListener("abort", onAbort);
    if (signal.aborted) return onAbort();
    stream.send(request);
    stream.end();
  });
}

function pause({ clock, signal }: DumpContext, delayMs: number): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      cancel();
      signal.removeEventListener("abort", done);
      resolve();
    };
    const cancel = clock.after(delayMs, done);
    signal.addEventListener("abort", done);
    if (signal.aborted) done();
  });
}
