/** kv's servers as clients of other languages see them, played by a bare gRPC client. */

import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { Client, credentials, Metadata, type ServiceError, status as Status } from "@grpc/grpc-js";
import { once } from "node:events";
import http2 from "node:http2";
import { UnreachableError } from "../../core/platform/errors.ts";
import { HealthState } from "../../core/rpc/health.ts";
import { bindHealth } from "../../core/rpc/health.ts";
import { health, kv } from "../../core/rpc/methods.ts";
import { WINDOW_BYTES } from "../../core/rpc/options.ts";
import type { Method } from "../../core/platform/ports.ts";
import { batch, key, newTransport, withServer } from "./rpc_fixture.ts";

const SERVING = 1;
const NOT_SERVING = 2;
const SERVICE_UNKNOWN = 3;

const client = (address: string) => new Client(address, credentials.createInsecure());
const toBuffer = (bytes: Uint8Array) => Buffer.from(bytes);

function call<Q, A>(
  from: Client,
  { path, encodeRequest, decodeReply }: Method<Q, A>,
  request: Q,
): Promise<A> {
  return new Promise((resolve, reject) => {
    const options = { deadline: Date.now() + 10_000 };
    const encode = (request: Q) => toBuffer(encodeRequest(request));
    from.makeUnaryRequest<Q, A>(
      path,
      encode,
      decodeReply,
      request,
      new Metadata(),
      options,
      (error, reply) => {
        if (error) reject(error);
        else resolve(reply!);
      },
    );
  });
}

const failure = (promise: Promise<unknown>) => promise.then(() => undefined, (error: ServiceError) => error);

Deno.test("foreign client: codes, and the detail in its header", () =>
  withServer(async ({ address }) => {
    const foreign = client(address);
    const error = await failure(call(foreign, kv.get, key("wrong")));
    assertEquals([error?.code, error?.details], [Status.FAILED_PRECONDITION, "not here, söh"]);
    const detail = error?.metadata.get("grpc-status-details-bin")[0];
    assertStringIncludes(String(detail), "type.googleapis.com/kv.v1.ErrorDetail");
    foreign.close();
  }));

Deno.test("foreign client: bytes that are no message", () =>
  withServer(async ({ address, logged }) => {
    const foreign = client(address);
    const broken = { ...kv.get, encodeRequest: () => Uint8Array.of(0x0a, 0xff) };
    const error = await failure(call(foreign, broken, key("a")));
    assertEquals(error?.code, Status.INVALID_ARGUMENT);
    assertEquals(logged, []);
    foreign.close();
  }));

Deno.test("foreign client: a method with one request and many replies", () =>
  withServer(async ({ address }) => {
    const foreign = client(address);
    const { path, encodeRequest, decodeReply } = kv.dump;
    const request = { slots: [1, 2, 3], keysOnly: false };
    const encode = (message: typeof request) => toBuffer(encodeRequest(message));
    const replies = foreign.makeServerStreamRequest(path, encode, decodeReply, request);
    let pages = 0;
    for await (const _ of replies) pages++;
    assertEquals(pages, 3);
    foreign.close();
  }));

Deno.test("health: Check and Watch follow the state", async () => {
  const state = new HealthState();
  const server = await newTransport().listen("127.0.0.1:0", (services) => bindHealth(services, state));
  const foreign = client(server.address);
  assertEquals((await call(foreign, health.check, { service: "" })).status, NOT_SERVING);

  const { path, encodeRequest, decodeReply } = health.watch;
  const encode = (message: { service: string }) => toBuffer(encodeRequest(message));
  const watch = foreign.makeServerStreamRequest(path, encode, decodeReply, { service: "" });
  const seen: number[] = [];
  const broken = new Promise((resolve) => watch.on("error", resolve));
  await new Promise<void>((resolve) => {
    watch.on("data", ({ status }) => {
      seen.push(status);
      if (seen.length === 3) resolve();
      else state.set(seen.length === 1);
    });
  });
  assertEquals(seen, [NOT_SERVING, SERVING, NOT_SERVING]);

  assertEquals((await failure(call(foreign, health.check, { service: "x" })))?.code, Status.NOT_FOUND);
  const other = foreign.makeServerStreamRequest(path, encode, decodeReply, { service: "x" });
  other.on("error", () => {});
  assertEquals(
    await new Promise((resolve) => other.once("data", ({ status }) => resolve(status))),
    SERVICE_UNKNOWN,
  );
  await server.close();
  await broken;
  foreign.close();
});

/** Starts the fixture as a process, with freed memory overwritten, so that its later use shows. */
async function startProcess() {
  const fixture = new URL("./rpc_fixture.ts", import.meta.url).pathname;
  const process = new Deno.Command(Deno.execPath(), {
    args: ["run", "-q", "--allow-net", "--allow-env", "--allow-sys", "--allow-read", fixture],
    env: { MALLOC_PERTURB_: "165" },
    stdout: "piped",
  }).spawn();
  const reader = process.stdout.pipeThrough(new TextDecoderStream()).getReader();
  const address = (await reader.read()).value?.trim() ?? "";
  return { process, reader, address };
}

Deno.test("foreign client: saying goodbye does not take the server down", async () => {
  const { process, reader, address } = await startProcess();
  for (let round = 0; round < 3; round++) {
    const foreign = client(address);
    await Promise.all(Array.from({ length: 20 }, () => call(foreign, kv.get, key("a"))));
    foreign.close(); // sends GOAWAY
  }
  const last = client(address);
  assertEquals((await call(last, kv.get, key("b"))).value, Buffer.from("b"));
  last.close();
  process.kill("SIGKILL");
  await reader.cancel();
  assertEquals((await process.status).signal, "SIGKILL");
});

Deno.test("transport: a server that is killed breaks its streams and calls", async () => {
  const { process, reader, address } = await startProcess();
  const transport = newTransport();
  const call = transport.call(address, kv.get, key("never"), 60_000).catch((error) => error);
  const closed = await new Promise((resolve) => {
    const stream = transport.stream(address, kv.operate, {
      message: () => process.kill("SIGKILL"),
      closed: resolve,
    });
    stream.send(batch(1));
  });
  assert(closed instanceof UnreachableError);
  assert(await call instanceof UnreachableError);
  await process.status;
  await reader.cancel();
  transport.close();
});

Deno.test("foreign client: may have a megabyte under way, of a stream and of a connection", () =>
  withServer(async ({ address }) => {
    const session = http2.connect(`http://${address}`);
    const [settings] = await once(session, "remoteSettings");
    assertEquals(settings.initialWindowSize, WINDOW_BYTES);
    while (session.state.remoteWindowSize !== WINDOW_BYTES) await pinged(session);
    session.close();
    await once(session, "close");
  }));

/** Resolves when the server has answered, and so has told what it had to tell before. */
function pinged(session: http2.ClientHttp2Session): Promise<void> {
  return new Promise((resolve, reject) => session.ping((error) => error ? reject(error) : resolve()));
}
