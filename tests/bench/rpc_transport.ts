/**
 * What the gRPC transport costs by itself: an in-memory server in another process, keys of 16 bytes, values of 100.
 *
 *     deno run -A tests/bench/rpc_transport.ts [SECONDS]
 */

import { systemClock } from "../../core/platform/clock.ts";
import { stderrLog } from "../../core/platform/log.ts";
import type { Address, Transport } from "../../core/platform/ports.ts";
import { kv } from "../../core/rpc/methods.ts";
import { grpcTransport } from "../../core/rpc/transport.ts";
import { type Operation, OperationKind, Outcome, type Reply } from "../../proto/gen/kv/v1/kv.ts";

const KEYS = 10_000;
const KEY_BYTES = 16;
const EMPTY = new Uint8Array(0);
const VALUE = new Uint8Array(100).fill(0x61);
const CLIENT_ID = new Uint8Array(16).fill(7);
const TIMEOUT_MS = 5000;
const KEYS_AT_HAND = Array.from({ length: KEYS }, (_, index) => keyBytes(index));

function keyBytes(index: number): Uint8Array {
  return new TextEncoder().encode(`key-${index}`.padEnd(KEY_BYTES, "."));
}

function newTransport(): Transport {
  return grpcTransport({ clock: systemClock, log: stderrLog("info", "bench") });
}

/** Answers from memory; prints its address. */
async function serve(): Promise<void> {
  let version = 0;
  const answer = ({ id, kind }: Operation): Reply =>
    kind === OperationKind.PUT
      ? {
        id,
        outcome: Outcome.UPDATED,
        found: false,
        value: EMPTY,
        version: ++version,
        epoch: 1,
        error: undefined,
      }
      : { id, outcome: 0, found: true, value: VALUE, version, epoch: 1, error: undefined };
  const { address } = await newTransport().listen("127.0.0.1:0", (services) => {
    services.unary(kv.get, () => ({ found: true, value: VALUE, version }));
    services.stream(kv.operate, (replies) => ({
      message: ({ operations }) => void replies.send({ replies: operations.map(answer) }),
      ended: () => replies.end(),
      closed: () => {},
    }));
  });
  console.log(address);
}

interface Figures {
  readonly operations: number;
  readonly seconds: number;
  /** Sorted. */
  readonly latenciesMs: readonly number[];
}

/** Keeps `inFlight` operations on one stream; those that fall due in the same turn go out as one message. */
function runStream(transport: Transport, to: Address, kind: OperationKind, inFlight: number, ms: number) {
  return new Promise<Figures>((resolve, reject) => {
    const sentAtMs = new Float64Array(inFlight);
    const latenciesMs: number[] = [];
    const startMs = performance.now();
    let operations = 0;
    let running = inFlight;
    const operation = (id: number): Operation => {
      sentAtMs[id] = performance.now();
      const key = KEYS_AT_HAND[(operations + id) % KEYS]!;
      const value = kind === OperationKind.PUT ? VALUE : EMPTY;
      return { id, kind, key, value, condition: undefined, sequence: operations + id, retry: false };
    };
    const send = (ids: number[]) =>
      stream.send({ operations: ids.map(operation), clientId: CLIENT_ID, lowestUnfinished: 1 });
    const stream = transport.stream(to, kv.operate, {
      message({ replies }) {
        const nowMs = performance.now();
        operations += replies.length;
        for (const { id } of replies) latenciesMs.push(nowMs - sentAtMs[id]!);
        if (nowMs - startMs < ms) return void send(replies.map(({ id }) => id));
        running -= replies.length;
        if (running === 0) stream.end();
      },
      closed(error) {
        if (error) return reject(error);
        latenciesMs.sort((a, b) => a - b);
        resolve({ operations, seconds: (performance.now() - startMs) / 1000, latenciesMs });
      },
    });
    // Several messages are under way at a time, as with many callers.
    const perMessage = Math.ceil(inFlight / 4);
    for (let id = 0; id < inFlight; id += perMessage) {
      send(Array.from({ length: Math.min(perMessage, inFlight - id) }, (_, index) => id + index));
    }
  });
}

async function runUnary(transport: Transport, to: Address, inFlight: number, ms: number): Promise<Figures> {
  const latenciesMs: number[] = [];
  const startMs = performance.now();
  const worker = async (first: number) => {
    for (let index = first; performance.now() - startMs < ms; index++) {
      const sentAtMs = performance.now();
      await transport.call(to, kv.get, { key: KEYS_AT_HAND[index % KEYS]! }, TIMEOUT_MS);
      latenciesMs.push(performance.now() - sentAtMs);
    }
  };
  await Promise.all(Array.from({ length: inFlight }, (_, index) => worker(index)));
  latenciesMs.sort((a, b) => a - b);
  return { operations: latenciesMs.length, seconds: (performance.now() - startMs) / 1000, latenciesMs };
}

function print(name: string, { operations, seconds, latenciesMs }: Figures): void {
  const at = (part: number) => (latenciesMs[Math.floor(latenciesMs.length * part)] ?? 0).toFixed(3);
  const rate = Math.round(operations / seconds).toLocaleString("en").padStart(9);
  console.log(`${name.padEnd(28)} ${rate}/s   p50 ${at(0.5)} ms   p99 ${at(0.99)} ms`);
}

async function measure(ms: number): Promise<void> {
  const command = new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "-q", import.meta.filename!, "serve"],
    stdout: "piped",
  });
  await using server = command.spawn();
  const reader = server.stdout.pipeThrough(new TextDecoderStream()).getReader();
  const address = (await reader.read()).value!.trim();
  const transport = newTransport();
  await runStream(transport, address, OperationKind.PUT, 256, 500);
  print("stream, puts, 256 in flight", await runStream(transport, address, OperationKind.PUT, 256, ms));
  print("stream, gets, 256 in flight", await runStream(transport, address, OperationKind.GET, 256, ms));
  print("stream, gets, 1 in flight", await runStream(transport, address, OperationKind.GET, 1, ms));
  await runUnary(transport, address, 64, 500);
  print("unary gets, 64 in flight", await runUnary(transport, address, 64, ms));
  print("unary gets, 1 in flight", await runUnary(transport, address, 1, ms));
  transport.close();
  await reader.cancel();
}

if (Deno.args[0] === "serve") await serve();
else await measure(Number(Deno.args[0] ?? 3) * 1000);
