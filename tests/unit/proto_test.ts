import { assertEquals, assertStrictEquals, assertThrows } from "@std/assert";
import _m0 from "protobufjs/minimal";
import { createHash } from "node:crypto";
import { type Operation, OperationBatch, OperationKind } from "../../proto/gen/kv/v1/kv.ts";
import { Outcome, type Reply, ReplyBatch } from "../../proto/gen/kv/v1/kv.ts";
import { readUint64 } from "../../proto/wire.ts";

const folder = new URL("../../proto/", import.meta.url).pathname;

function protoFiles(below: string): string[] {
  return [...Deno.readDirSync(folder + below)].flatMap(({ name, isDirectory }) => {
    if (isDirectory) return protoFiles(`${below}${name}/`);
    return name.endsWith(".proto") ? [below + name] : [];
  });
}

Deno.test("proto: the generated code is of these .proto files", () => {
  const hash = createHash("sha256");
  for (const file of ["buf.gen.yaml", ...protoFiles("").sort()]) {
    hash.update(`${file}\n`).update(Deno.readFileSync(folder + file));
  }
  const made = Deno.readTextFileSync(`${folder}gen/sources.sha256`).trim();
  assertEquals(made, hash.digest("hex"), "proto/gen is stale: run deno task proto");
});

Deno.test("proto: the slow parts of the generated code are replaced", () => {
  for (const file of ["kv", "ring", "cluster"]) {
    const text = Deno.readTextFileSync(`${folder}gen/kv/v1/${file}.ts`);
    assertEquals(text.includes("reader.uint64() as Long"), false, file);
    assertEquals(text.includes("new Uint8Array(0)"), false, file);
  }
});

Deno.test("proto: numbers of 64 bits, up to 2^53 - 1", () => {
  const numbers = [0, 1, 127, 128, 300, 2 ** 31, 2 ** 32 - 1, 2 ** 32, 2 ** 48 + 1, Number.MAX_SAFE_INTEGER];
  for (const number of numbers) {
    const reader = _m0.Reader.create(_m0.Writer.create().uint64(number).finish());
    assertEquals(readUint64(reader), number);
    assertEquals(reader.pos, reader.len);
  }
});

Deno.test("proto: numbers above that, and cut ones, are refused", () => {
  const huge = Uint8Array.of(0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x10); // 2^53
  assertThrows(() => readUint64(_m0.Reader.create(huge)), RangeError, "above");
  assertThrows(() => readUint64(_m0.Reader.create(new Uint8Array(11).fill(0xff))), RangeError, "above");
  assertThrows(() => readUint64(_m0.Reader.create(Uint8Array.of(0x80))), RangeError, "cut off");
});

Deno.test("proto: batches come back as they were, defaults included", () => {
  const put: Operation = {
    id: 7,
    kind: OperationKind.PUT,
    key: Uint8Array.of(0, 255),
    value: Uint8Array.of(1),
    condition: { kind: { $case: "version", version: 2 ** 40 } },
    sequence: 2 ** 41,
    retry: true,
  };
  const get: Operation = {
    ...put,
    kind: OperationKind.GET,
    value: new Uint8Array(),
    condition: undefined,
    sequence: 0,
  };
  const batch = { operations: [put, get], clientId: new Uint8Array(16).fill(9), lowestUnfinished: 3 };
  const bytes = new Uint8Array(OperationBatch.encode(batch).finish());
  assertEquals(OperationBatch.decode(bytes), batch);
  const reply: Reply = {
    id: 0,
    outcome: Outcome.CONDITION_FAILED,
    found: false,
    value: new Uint8Array(),
    version: Number.MAX_SAFE_INTEGER,
    epoch: 1,
    error: { code: 1, message: "no", slot: 0, ringVersion: undefined, clientIdAboveMs: undefined },
  };
  const replies = { replies: [reply] };
  assertEquals(ReplyBatch.decode(new Uint8Array(ReplyBatch.encode(replies).finish())), replies);
});

Deno.test("proto: decoded bytes are plain arrays, so that slice() copies", () => {
  const batch = OperationBatch.encode(OperationBatch.fromPartial({ clientId: Uint8Array.of(1, 2) })).finish();
  const bytes = new Uint8Array(batch);
  const { clientId } = OperationBatch.decode(bytes);
  assertStrictEquals(Object.getPrototypeOf(clientId), Uint8Array.prototype);
  const copy = clientId.slice();
  bytes.fill(0);
  assertEquals(copy, Uint8Array.of(1, 2));
});
