/** A server with one handler of each kind, for the tests of the transport. Run as a program it serves until killed. */

import { systemClock } from "../../core/platform/clock.ts";
import { KvError } from "../../core/platform/errors.ts";
import type { Address, Listener, Log, Outgoing, Services, Transport } from "../../core/platform/ports.ts";
import { kv } from "../../core/rpc/methods.ts";
import type { TransportOptions } from "../../core/rpc/options.ts";
import { grpcTransport } from "../../core/rpc/transport.ts";
import type { DumpPage, OperationBatch, ReplyBatch } from "../../proto/gen/kv/v1/kv.ts";

const encoder = new TextEncoder();

export function newTransport(options: Partial<TransportOptions> = {}): Transport {
  return grpcTransport({ clock: systemClock, log: () => {}, ...options });
}

/** What the handlers noticed. */
export interface Noticed {
  readonly closed: (Error | undefined)[];
  drained: number;
  /** Called when `Get` of "wait" has come; it answers once that has been awaited. */
  waiting?: () => Promise<void>;
  /** Called instead of sending more pages. */
  whenDrained?: (replies: Outgoing<DumpPage>) => void;
  /** Resolves when `Operate` has paused. */
  readonly paused: PromiseWithResolvers<void>;
  /** Has it go on. */
  resume: () => void;
}

/** A key that says how the call is to go. */
export function key(text: string): { key: Uint8Array } {
  return { key: encoder.encode(text) };
}

export function page(bytes: number): DumpPage {
  return { entries: [{ key: new Uint8Array(1), value: new Uint8Array(bytes), version: 1, slot: 0 }] };
}

export function batch(id: number): OperationBatch {
  return { operations: [], clientId: new Uint8Array(), lowestUnfinished: id };
}

function reply(id: number): ReplyBatch {
  const value = new Uint8Array();
  return { replies: [{ id, outcome: 0, found: false, value, version: 0, epoch: 0, error: undefined }] };
}

/** Sends `count` pages as fast as the stream takes them, then ends. */
function pump(replies: Outgoing<DumpPage>, count: number): () => void {
  return () => {
    while (count > 0) {
      count--;
      if (!replies.send(page(50_000))) return;
    }
    replies.end();
  };
}

/**
 * `Get` answers with the key, fails as the key says, or never answers; `Operate` answers each batch with its number, and
 * pauses
 * at number 98, breaks off at number 99; `Dump` sends one page for each of the slots asked for.
 */
export function bindFixture(services: Services, noticed: Noticed): void {
  services.unary(kv.get, async ({ key }) => {
    const text = new TextDecoder().decode(key);
    if (text === "wrong") {
      throw new KvError("wrong-owner", "not here, söh", { slot: 34, ringVersion: 2 ** 40 });
    }
    if (text === "bug") throw new TypeError("a bug");
    if (text === "wait") await noticed.waiting?.();
    if (text === "never") return new Promise(() => {});
    return { found: true, value: key, version: 1 };
  });
  services.stream(kv.operate, (replies) => ({
    message({ lowestUnfinished }) {
      if (lowestUnfinished === 98) {
        replies.pause();
        noticed.resume = () => replies.resume();
        noticed.paused.resolve();
      }
      if (lowestUnfinished === 99) throw new KvError("refused", "no more", { slot: 1 });
      replies.send(reply(lowestUnfinished));
    },
    ended: () => replies.end(),
    closed: (error) => void noticed.closed.push(error),
  }));
  services.stream(kv.dump, (replies) => {
    let more = () => {};
    return {
      message({ slots }) {
        more = pump(replies, slots.length);
        more();
      },
      drained() {
        noticed.drained++;
        if (noticed.whenDrained !== undefined) noticed.whenDrained(replies);
        else more();
      },
      closed: (error) => void noticed.closed.push(error),
    };
  });
}

function newNoticed(): Noticed {
  return { closed: [], drained: 0, paused: Promise.withResolvers(), resume: () => {} };
}

/** A listening fixture and a client for it; both are closed at the end of the test. */
export async function withServer(
  test: (
    use: { address: Address; client: Transport; server: Listener; noticed: Noticed; logged: string[] },
  ) => Promise<void>,
  options: Partial<TransportOptions> = {},
): Promise<void> {
  const logged: string[] = [];
  const log: Log = (level, message) => void logged.push(`${level} ${message}`);
  const noticed = newNoticed();
  const client = newTransport(options);
  const server = await newTransport({ log }).listen(
    "127.0.0.1:0",
    (services) => bindFixture(services, noticed),
  );
  try {
    await test({ address: server.address, client, server, noticed, logged });
  } finally {
    client.close();
    await server.close();
  }
}

if (import.meta.main) {
  const bind = (services: Services) => bindFixture(services, newNoticed());
  console.log((await newTransport().listen("127.0.0.1:0", bind)).address);
}
