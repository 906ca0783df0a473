import { assert, assertEquals, assertRejects } from "@std/assert";
import { KvError, UnreachableError } from "../../core/platform/errors.ts";
import type { Incoming, Method, Outgoing } from "../../core/platform/ports.ts";
import { SimNetwork } from "../sim/world/network.ts";
import { SeededRandom } from "../sim/world/random.ts";
import { Scheduler, SimProcess } from "../sim/world/scheduler.ts";
import { type Listening, SimTransport } from "../sim/world/transport.ts";

const encode = (message: unknown) => new TextEncoder().encode(JSON.stringify(message));
const decode = (bytes: Uint8Array) => JSON.parse(new TextDecoder().decode(bytes));
const codecs = { encodeRequest: encode, decodeRequest: decode, encodeReply: encode, decodeReply: decode };
const double: Method<{ n: number }, { n: number }> = {
  ...codecs,
  path: "/test/Double",
  requestStream: false,
  responseStream: false,
};
const echo: Method<{ n: number }, { n: number }> = {
  ...codecs,
  path: "/test/Echo",
  requestStream: true,
  responseStream: true,
};

class Fixture {
  readonly scheduler: Scheduler;
  readonly network: SimNetwork<Listening>;
  readonly client: SimProcess;
  readonly server: SimProcess;
  readonly transport: SimTransport;
  /** What the server's streams were told. */
  readonly told: string[] = [];
  handled = 0;

  constructor(seed = 1) {
    const random = new SeededRandom(seed);
    this.scheduler = new Scheduler(random.fork("order"));
    this.network = new SimNetwork(this.scheduler, random.fork("network"));
    this.client = new SimProcess(this.scheduler, "client");
    this.server = new SimProcess(this.scheduler, "server");
    this.transport = new SimTransport(this.network, this.client);
  }

  async listen(): Promise<this> {
    await new SimTransport(this.network, this.server).listen("10.0.0.1:7", (services) => {
      services.unary(double, ({ n }) => {
        this.handled++;
        if (n < 0) throw new KvError("wrong-owner", "negative", { slot: 3 });
        return { n: 2 * n };
      });
      services.stream(echo, (replies) => ({
        message: (message) => {
          if (message.n === 999) replies.end();
          else replies.send(message);
        },
        ended: () => this.told.push("ended"),
        closed: (error) => this.told.push(`closed ${error?.message}`),
      }));
    });
    return this;
  }

  call(n: number, timeoutMs = 1000): Promise<{ n: number }> {
    const reply = this.transport.call("10.0.0.1:7", double, { n }, timeoutMs);
    reply.catch(() => {});
    return reply;
  }

  stream(): { readonly received: (number | string)[]; readonly outgoing: Outgoing<{ n: number }> } {
    const received: (number | string)[] = [];
    const incoming: Incoming<{ n: number }> = {
      message: ({ n }) => received.push(n),
      closed: (error) => received.push(error === undefined ? "closed" : `closed: ${error.message}`),
    };
    return { received, outgoing: this.transport.stream("10.0.0.1:7", echo, incoming) };
  }

  async settle(): Promise<void> {
    while (await this.scheduler.step());
  }
}

Deno.test("transport: calls are answered, and errors arrive as the same code with its fields", async () => {
  const fixture = await new Fixture().listen();
  const reply = fixture.call(21);
  const refused = fixture.call(-1);
  await fixture.settle();
  assertEquals(await reply, { n: 42 });
  const error = await assertRejects(() => refused, KvError, "negative");
  assertEquals([error.code, error.fields.slot], ["wrong-owner", 3]);
});

Deno.test("transport: nobody listens, the address is taken, port 0 is free", async () => {
  const fixture = new Fixture();
  const reply = fixture.call(1);
  await fixture.settle();
  await assertRejects(() => reply, UnreachableError, "refused");
  await fixture.listen();
  await assertRejects(() => fixture.transport.listen("10.0.0.1:7", () => {}), KvError, "in use");
  const one = await fixture.transport.listen("10.0.0.2:0", () => {});
  const two = await fixture.transport.listen("10.0.0.2:0", () => {});
  assert(one.address !== two.address && !one.address.endsWith(":0"));
});

Deno.test("transport: a lost call ends by its time limit, handled or not", async () => {
  const outcomes = new Set<number>();
  for (let seed = 0; seed < 20; seed++) {
    const fixture = await new Fixture(seed).listen();
    fixture.network.settings.callLoss = 0.5;
    const replies = [fixture.call(1), fixture.call(2), fixture.call(3)];
    await fixture.settle();
    const settled = await Promise.allSettled(replies);
    const lost = settled.filter((result) => result.status === "rejected");
    for (const { reason } of lost) {
      assert(reason instanceof UnreachableError && /within 1000 ms/.test(reason.message));
    }
    if (lost.length === 3) outcomes.add(fixture.handled);
  }
  assert(outcomes.size > 1, "lost requests only, or lost replies only");
});

Deno.test("transport: a stream keeps its order, ends in both ways, and pushes back now and then", async () => {
  const fixture = await new Fixture().listen();
  fixture.network.settings.spike = 0.3;
  fixture.network.settings.spikeMs = 50;
  fixture.network.settings.backPressure = 0.2;
  const { received, outgoing } = fixture.stream();
  const numbers = Array.from({ length: 50 }, (_, n) => n);
  const pushedBack = numbers.filter((n) => !outgoing.send({ n })).length;
  outgoing.end();
  await fixture.settle();
  assertEquals(received, numbers);
  assert(pushedBack > 0);
  assertEquals(fixture.told, ["ended"]);
  const second = fixture.stream();
  second.outgoing.send({ n: 999 });
  await fixture.settle();
  assertEquals(second.received, ["closed"]);
  assertEquals(fixture.told, ["ended", "closed undefined"]);
});

Deno.test("transport: a cancelled stream closes at both ends, and is silent afterwards", async () => {
  const fixture = await new Fixture().listen();
  const { received, outgoing } = fixture.stream();
  outgoing.send({ n: 1 });
  outgoing.cancel(new KvError("refused", "enough"));
  outgoing.cancel();
  assertEquals(outgoing.send({ n: 2 }), false);
  await fixture.settle();
  assertEquals(received, ["closed: enough"]);
  assertEquals(fixture.told, ["closed enough"]);
});

Deno.test("transport: a killed server breaks its streams and calls, and frees its address", async () => {
  const fixture = await new Fixture().listen();
  const { received } = fixture.stream();
  await fixture.settle();
  const reply = fixture.call(1, 100_000);
  fixture.server.kill();
  fixture.network.killed(fixture.server, "process");
  await fixture.settle();
  await assertRejects(() => reply, UnreachableError, "broken");
  assertEquals(received, ["closed: connection to server broken"]);
  assertEquals(fixture.network.servers.size, 0);
  assertEquals(fixture.network.links.size, 0);
});

Deno.test("transport: a short partition delays a stream, a long one breaks it; calls in it are lost", async () => {
  for (const lengthMs of [500, 60_000]) {
    const fixture = await new Fixture().listen();
    const { received, outgoing } = fixture.stream();
    await fixture.settle();
    fixture.network.cut("client", "server");
    outgoing.send({ n: 7 });
    const reply = fixture.call(1);
    fixture.scheduler.after(lengthMs, () => fixture.network.heal("client", "server"));
    await fixture.settle();
    await assertRejects(() => reply, UnreachableError);
    assertEquals(received, lengthMs === 500 ? [7] : ["closed: connection lost: no answer to keepalive"]);
  }
});

Deno.test("transport: a one-way partition lets the other direction through", async () => {
  const fixture = await new Fixture().listen();
  fixture.network.cut("server", "client");
  const reply = fixture.call(1);
  await fixture.settle();
  assertEquals(fixture.handled, 1);
  await assertRejects(() => reply, UnreachableError);
});

Deno.test("transport: a server that stands still answers when it goes on; its peers may have given up", async () => {
  const fixture = await new Fixture().listen();
  const { received, outgoing } = fixture.stream();
  await fixture.settle();
  fixture.server.pause();
  fixture.network.paused(fixture.server);
  outgoing.send({ n: 1 });
  fixture.scheduler.after(60_000, () => fixture.server.resume());
  await fixture.settle();
  assertEquals(received, ["closed: connection lost: no answer to keepalive"]);
  assert(fixture.told.length === 1 && fixture.told[0]!.startsWith("closed"), fixture.told.join());
});

Deno.test("transport: resets break streams at both ends", async () => {
  const fixture = await new Fixture().listen();
  fixture.network.settings.reset = 1;
  const { received, outgoing } = fixture.stream();
  outgoing.send({ n: 1 });
  await fixture.settle();
  assertEquals(received, ["closed: connection reset"]);
  assertEquals(fixture.told, ["closed connection reset"]);
});
