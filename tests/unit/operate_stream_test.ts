import { assert, assertEquals } from "@std/assert";
import { OperateStream } from "../../core/cluster/operate_stream.ts";
import type { IncomingWrite, Reader } from "../../core/cluster/operations.ts";
import type { Waiter } from "../../core/replication/write.ts";
import { kv } from "../../core/rpc/methods.ts";
import { Operation, type OperationBatch, OperationKind, type Reply } from "../../proto/gen/kv/v1/kv.ts";
import { newTransport } from "./rpc_fixture.ts";

const MIB = 1 << 20;

/** Answers each get with a value that its key tells, at once, or when told to; a put with the length of its value. */
class Answering {
  executed = 0;
  readonly waiting: (() => void)[] = [];

  constructor(readonly valueBytes: number, readonly when: "at once" | "when told") {}

  get(key: Uint8Array, reader: Reader): void {
    this.executed++;
    const answer = () => reader.found(new Uint8Array(this.valueBytes).fill(key[0]!), 1);
    if (this.when === "at once") answer();
    else this.waiting.push(answer);
  }

  write(write: IncomingWrite, waiter: Waiter): void {
    this.executed++;
    waiter.done(1, write.value.length, 1);
  }
}

/** What a stream sends, as long as there is room. */
class Sent {
  readonly messages: number[] = [];
  room = Infinity;
  paused = false;
  ended = false;

  send({ replies }: { replies: readonly Reply[] }): boolean {
    this.messages.push(replies.length);
    return --this.room > 0;
  }
  pause = () => void (this.paused = true);
  resume = () => void (this.paused = false);
  end = () => void (this.ended = true);
  cancel = () => {};
}

const getOf = (id: number) =>
  Operation.fromPartial({ id, kind: OperationKind.GET, key: new Uint8Array([id]) });
const batchOf = (operations: Operation[]): OperationBatch => ({
  operations,
  clientId: new Uint8Array(16),
  lowestUnfinished: 1,
});
const gets = (count: number) => batchOf(Array.from({ length: count }, (_, i) => getOf(i + 1)));

/** Sends the batches over the real transport, and collects the replies until all are there. */
async function exchange(operations: Answering, batches: OperationBatch[], count: number): Promise<Reply[]> {
  const [server, client] = [newTransport(), newTransport()];
  const listener = await server.listen("127.0.0.1:0", (services) => {
    services.stream(kv.operate, (replies) => new OperateStream(operations, replies));
  });
  const replies: Reply[] = [];
  const closed = Promise.withResolvers<Error | undefined>();
  const stream = client.stream(listener.address, kv.operate, {
    message: (batch) => {
      replies.push(...batch.replies);
      if (replies.length === count) stream.end();
    },
    closed: closed.resolve,
  });
  for (const batch of batches) stream.send(batch);
  try {
    assertEquals(await closed.promise, undefined);
    return replies;
  } finally {
    client.close();
    await listener.close();
  }
}

for (const [count, bytes] of [[64, MIB], [128, 64 << 10], [4, 2 * MIB]] as const) {
  Deno.test(`operate: ${count} gets of ${bytes >> 10} KiB in flight are all answered`, async () => {
    const replies = await exchange(new Answering(bytes, "at once"), [gets(count)], count);
    assertEquals(
      replies.map(({ id }) => id).sort((a, b) => a - b),
      gets(count).operations.map(({ id }) => id),
    );
    assert(
      replies.every(({ id, value }) => value.length === bytes && value[0] === id && value.at(-1) === id),
    );
  });
}

Deno.test("operate: gets of 1 MiB that are answered all at the same time, later, are all answered", async () => {
  const operations = new Answering(MIB, "when told");
  const get = operations.get.bind(operations);
  operations.get = (key, reader) => {
    get(key, reader);
    if (operations.executed === 64) queueMicrotask(() => operations.waiting.forEach((answer) => answer()));
  };
  const replies = await exchange(operations, [gets(64)], 64);
  assert(replies.every(({ id, value }) => value.length === MIB && value[0] === id));
});

Deno.test("operate: 20 puts of 1 MiB at once", async () => {
  const put = (id: number) =>
    Operation.fromPartial({
      id,
      kind: OperationKind.PUT,
      key: new Uint8Array([id]),
      value: new Uint8Array(MIB),
    });
  const batches = Array.from({ length: 20 }, (_, i) => batchOf([put(i + 1)]));
  const replies = await exchange(new Answering(0, "at once"), batches, 20);
  assert(replies.every(({ version }) => version === MIB));
});

Deno.test("operate: while the client takes nothing no operation is begun, and no message read", () => {
  const [operations, sent] = [new Answering(MIB, "at once"), new Sent()];
  const stream = new OperateStream(operations, sent);
  sent.room = 3;
  stream.message(gets(64));
  stream.message(gets(64));
  assertEquals([operations.executed, sent.messages, sent.paused], [3, [1, 1, 1], true]);
  sent.room = 2;
  stream.drained();
  assertEquals([operations.executed, sent.messages.length, sent.paused], [5, 5, true]);
  sent.room = Infinity;
  stream.ended();
  stream.drained();
  assertEquals([operations.executed, sent.messages.length, sent.paused], [128, 128, false]);
});

Deno.test("operate: what was begun before the client stopped to take answers goes out in small messages", async () => {
  const [operations, sent] = [new Answering(100 << 10, "when told"), new Sent()];
  const stream = new OperateStream(operations, sent);
  stream.message(gets(200));
  stream.ended();
  sent.room = 1;
  for (const answer of operations.waiting) answer();
  await Promise.resolve();
  assertEquals(sent.messages, [3]);
  sent.room = Infinity;
  stream.drained();
  assertEquals([Math.max(...sent.messages), sent.messages.reduce((a, b) => a + b), sent.ended], [
    3,
    200,
    true,
  ]);
});

Deno.test("operate: of gets that all wait only so many are begun, and then no message is read", () => {
  const [operations, sent] = [new Answering(1, "when told"), new Sent()];
  const stream = new OperateStream(operations, sent);
  for (let i = 0; i < 4; i++) stream.message(gets(200));
  assertEquals([operations.executed, sent.paused], [256, true]);
  operations.waiting.shift()!();
  assertEquals([operations.executed, sent.paused], [257, true]);
  while (operations.waiting.length > 0) operations.waiting.shift()!();
  assertEquals([operations.executed, sent.paused], [800, false]);
});

Deno.test("operate: few gets wait for slots to be served, so that those of other slots do not wait behind them", () => {
  const mayWait: boolean[] = [];
  const operations = {
    get: (_key: Uint8Array, _reader: Reader, waits = true) => void mayWait.push(waits),
    write: () => {},
  };
  const stream = new OperateStream(operations, new Sent());
  stream.message(gets(100));
  assertEquals([mayWait.length, mayWait.filter((waits) => waits).length], [100, 64]);
});
