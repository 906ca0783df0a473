import { assert, assertEquals, assertRejects, assertStringIncludes, assertThrows } from "@std/assert";
import { createServer } from "node:net";
import { systemClock } from "../../core/platform/clock.ts";
import { KvError, UnreachableError } from "../../core/platform/errors.ts";
import type { Address, Method, Outgoing, Transport } from "../../core/platform/ports.ts";
import { kv } from "../../core/rpc/methods.ts";
import { batch, bindFixture, key, newTransport, page, withServer } from "./rpc_fixture.ts";

const TIMEOUT_MS = 10_000;

/** Opens a stream and collects what comes, until it is closed. */
function open<Q, A>(
  client: Transport,
  to: Address,
  method: Method<Q, A>,
  onMessage = (_: Outgoing<Q>) => {},
) {
  const messages: A[] = [];
  const closed = Promise.withResolvers<Error | undefined>();
  const drained: Outgoing<Q>[] = [];
  const stream: Outgoing<Q> = client.stream(to, method, {
    message(message) {
      messages.push(message);
      onMessage(stream);
    },
    drained: () => void drained.push(stream),
    closed: closed.resolve,
  });
  return { stream, messages, drained, closed: closed.promise };
}

Deno.test("transport: a call and its reply", () =>
  withServer(async ({ address, client }) => {
    const reply = await client.call(address, kv.get, key("a"), TIMEOUT_MS);
    assertEquals(reply, { found: true, value: key("a").key, version: 1 });
  }));

Deno.test("transport: an error keeps code, text and fields across the wire", () =>
  withServer(async ({ address, client, logged }) => {
    const error = await assertRejects(() => client.call(address, kv.get, key("wrong"), TIMEOUT_MS), KvError);
    assertEquals([error.code, error.message], ["wrong-owner", "not here, söh"]);
    assertEquals(error.fields, { slot: 34, ringVersion: 2 ** 40, clientIdAboveMs: undefined });
    assertEquals(logged, []);
  }));

Deno.test("transport: a bug in a handler is internal, and is logged at the server", () =>
  withServer(async ({ address, client, logged }) => {
    const error = await assertRejects(
      () => client.call(address, kv.get, key("bug"), TIMEOUT_MS),
      KvError,
      "a bug",
    );
    assertEquals(error.code, "internal");
    assertEquals(logged, ["error /kv.v1.KV/Get failed"]);
  }));

Deno.test("transport: a method that the server does not have", () =>
  withServer(async ({ address, client }) => {
    const request = { ...key("a"), condition: undefined, writeId: undefined };
    const error = await assertRejects(() => client.call(address, kv.delete, request, TIMEOUT_MS), KvError);
    assertEquals(error.code, "refused");
    assertStringIncludes(error.message, "/kv.v1.KV/Delete");
  }));

Deno.test("transport: a call that is not answered in time", () =>
  withServer(async ({ address, client }) => {
    const error = await assertRejects(() => client.call(address, kv.get, key("never"), 20), UnreachableError);
    assertStringIncludes(error.message, "/kv.v1.KV/Get");
    assertStringIncludes(error.message, address);
  }));

Deno.test("transport: a stream both ways, ended by the client", () =>
  withServer(async ({ address, client, noticed }) => {
    const { stream, messages, closed } = open(client, address, kv.operate);
    for (let id = 1; id <= 5; id++) stream.send(batch(id));
    stream.end();
    assertEquals(await closed, undefined);
    assertEquals(messages.map(({ replies }) => replies[0]?.id), [1, 2, 3, 4, 5]);
    assertEquals(noticed.closed, [undefined]);
    assertEquals(stream.send(batch(6)), false);
  }));

Deno.test("transport: an error ends a stream at both ends", () =>
  withServer(async ({ address, client, noticed }) => {
    const { stream, closed } = open(client, address, kv.operate);
    stream.send(batch(99));
    const error = await closed;
    assert(error instanceof KvError);
    assertEquals([error.code, error.message, error.fields.slot], ["refused", "no more", 1]);
    assertEquals(noticed.closed.map((error) => error?.message), ["no more"]);
  }));

Deno.test("transport: a client that cancels a stream", () =>
  withServer(async ({ address, client, server, noticed }) => {
    const { stream, closed } = open(
      client,
      address,
      kv.operate,
      (stream) => stream.cancel(new Error("enough")),
    );
    stream.send(batch(1));
    const error = await closed;
    assert(error instanceof UnreachableError);
    assertEquals(error.message, "enough");
    await server.close();
    assertEquals(noticed.closed.length, 1);
    assert(noticed.closed[0] instanceof UnreachableError);
  }));

Deno.test("transport: one request, many replies, and a sender that waits for room", () =>
  withServer(async ({ address, client, noticed }) => {
    const slots = Array.from({ length: 200 }, (_, slot) => slot);
    const { stream, messages, closed } = open(client, address, kv.dump);
    stream.send({ slots, keysOnly: false });
    assertEquals(await closed, undefined);
    assertEquals(messages.length, 200);
    assert(noticed.drained > 0, "the sender was never told to wait");
  }));

Deno.test("transport: a client that sends too fast is told to wait", () =>
  withServer(async ({ address, client }) => {
    const { stream, drained, closed } = open(client, address, kv.operate, (stream) => {
      if (drained.length > 0) stream.end();
    });
    while (stream.send(batch(1)));
    assertEquals(await closed, undefined);
    assertEquals(drained[0], stream);
  }));

Deno.test("transport: a message that is too large fails alone", () =>
  withServer(async ({ address, client }) => {
    const large = { key: new Uint8Array(5 * 1024 * 1024) };
    const error = await assertRejects(() => client.call(address, kv.get, large, TIMEOUT_MS), KvError);
    assertEquals(error.code, "too-large");
    assertStringIncludes(error.message, "over the limit of 4194304");
    const { stream, messages, closed } = open(client, address, kv.operate);
    assertThrows(() => stream.send({ ...batch(1), clientId: large.key }), KvError, "over the limit");
    stream.send(batch(2));
    stream.end();
    assertEquals(await closed, undefined);
    assertEquals(messages.length, 1);
  }));

Deno.test("transport: a reply that is too large breaks its stream, whoever sends it, and nothing else", () =>
  withServer(async ({ address, client, noticed }) => {
    noticed.whenDrained = (replies) => replies.send(page(5 * 1024 * 1024));
    const { stream, closed } = open(client, address, kv.dump);
    stream.send({ slots: Array.from({ length: 200 }, (_, slot) => slot), keysOnly: false });
    const error = await closed;
    assert(error instanceof KvError);
    assertEquals(error.code, "too-large");
    assertEquals((await client.call(address, kv.get, key("a"), TIMEOUT_MS)).found, true);
  }));

Deno.test("transport: an error when there is room again breaks the stream, at either end", () =>
  withServer(async ({ address, client, noticed }) => {
    noticed.whenDrained = () => {
      throw new KvError("refused", "no more");
    };
    const dump = open(client, address, kv.dump);
    dump.stream.send({ slots: Array.from({ length: 200 }, (_, slot) => slot), keysOnly: false });
    assertEquals((await dump.closed)?.message, "no more");
    const closed = Promise.withResolvers<Error | undefined>();
    const stream = client.stream(address, kv.operate, {
      message() {},
      drained() {
        throw new Error("a bug");
      },
      closed: closed.resolve,
    });
    while (stream.send(batch(1)));
    assertStringIncludes((await closed.promise)?.message ?? "", "a bug");
  }));

Deno.test("transport: who pauses is sent no more, and then all in order", () =>
  withServer(async ({ address, client, noticed }) => {
    const { stream, messages, drained, closed } = open(client, address, kv.operate);
    stream.send(batch(98));
    const large = { ...batch(1), clientId: new Uint8Array(1024 * 1024) };
    let sent = 1;
    while (stream.send(large)) sent++;
    await noticed.paused.promise;
    // Answers to calls pass it.
    await client.call(address, kv.get, key("a"), TIMEOUT_MS);
    assertEquals([messages.length, drained.length], [1, 0]);
    noticed.resume();
    stream.end();
    assertEquals(await closed, undefined);
    assertEquals(messages.length, sent + 1);
  }));

Deno.test("transport: a message too large for the receiver is refused clearly", () =>
  withServer(async ({ address, client }) => {
    const large = { key: new Uint8Array(5 * 1024 * 1024) };
    const error = await assertRejects(
      () => client.call(address, kv.get, large, TIMEOUT_MS),
      KvError,
      "larger than",
    );
    assertEquals(error.code, "too-large");
  }, { messageBytesMax: 8 * 1024 * 1024 }));

Deno.test("transport: a value of the largest size goes through", () =>
  withServer(async ({ address, client }) => {
    const large = { key: new Uint8Array(1024 * 1024 + 4096).fill(3) };
    assertEquals((await client.call(address, kv.get, large, TIMEOUT_MS)).value, large.key);
  }));

Deno.test("transport: an address that is taken", () =>
  withServer(async ({ address, client }) => {
    const error = await assertRejects(
      () => client.listen(address, () => {}),
      KvError,
      "another process has it",
    );
    assertEquals(error.code, "refused");
    assertStringIncludes(error.message, address);
  }));

Deno.test("transport: a server that closes answers the calls that run", () =>
  withServer(async ({ address, client, server, noticed }) => {
    let closing: Promise<void> | undefined;
    noticed.waiting = () => {
      closing = server.close();
      return systemClock.sleep(20);
    };
    assertEquals((await client.call(address, kv.get, key("wait"), TIMEOUT_MS)).found, true);
    await closing;
  }));

Deno.test("transport: a server that closes breaks streams off, and comes back", () =>
  withServer(async ({ address, client, server, noticed }) => {
    const first = Promise.withResolvers<void>();
    const { stream, closed } = open(client, address, kv.operate, () => first.resolve());
    stream.send(batch(1));
    await first.promise;
    await server.close();
    const error = await closed;
    assert(error instanceof UnreachableError);
    assertStringIncludes(error.message, "the server is stopping");
    assertEquals(noticed.closed.length, 1);
    await assertRejects(() => client.call(address, kv.get, key("a"), TIMEOUT_MS), UnreachableError);

    const again = await newTransport().listen(address, (services) => bindFixture(services, noticed));
    assertEquals(again.address, address);
    const call = () => client.call(address, kv.get, key("a"), TIMEOUT_MS).catch(() => undefined);
    while (await call() === undefined) await systemClock.sleep(10);
    await again.close();
  }));

Deno.test("transport: nobody listens", () =>
  withServer(async ({ address, client, server }) => {
    await server.close();
    await assertRejects(() => client.call(address, kv.get, key("a"), TIMEOUT_MS), UnreachableError);
    assert(await open(client, address, kv.operate).closed instanceof UnreachableError);
  }));

Deno.test("transport: a peer that accepts the connection and says nothing", async () => {
  const silent = createServer((socket) => void socket.resume());
  await new Promise<void>((resolve) => silent.listen(0, "127.0.0.1", resolve));
  const { port } = silent.address() as { port: number };
  const client = newTransport({ openTimeoutMs: 20 });
  const error = await open(client, `127.0.0.1:${port}`, kv.operate).closed;
  assert(error instanceof UnreachableError);
  assertStringIncludes(error.message, "not accepted within 20 ms");
  await assertRejects(() => client.call(`127.0.0.1:${port}`, kv.get, key("a"), 20), UnreachableError);
  client.close();
  await new Promise((resolve) => silent.close(resolve));
});

Deno.test("transport: after its close nothing goes out", () =>
  withServer(async ({ address, client }) => {
    const { stream, closed } = open(client, address, kv.operate);
    stream.send(batch(1));
    const call = client.call(address, kv.get, key("never"), TIMEOUT_MS);
    client.close();
    await assertRejects(() => call, UnreachableError);
    assert(await closed instanceof UnreachableError);
    await assertRejects(() => client.call(address, kv.get, key("a"), TIMEOUT_MS), UnreachableError, "closed");
    const late = open(client, address, kv.operate);
    assertEquals(late.stream.send(batch(1)), false);
    assert(await late.closed instanceof UnreachableError);
  }));
