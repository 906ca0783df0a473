import {
  type DeleteRequest,
  type GetReply,
  type PutRequest,
  type WriteId,
  type WriteReply,
} from "../../proto/gen/kv/v1/kv.ts";
import { binaryFromBytes } from "../platform/binary.ts";
import type { Clock, Services } from "../platform/ports.ts";
import { kv } from "../rpc/methods.ts";
import type { Engine } from "../storage/engine.ts";
import { DumpStream } from "./dump_stream.ts";
import { OperateStream } from "./operate_stream.ts";
import { conditionFrom, type IncomingWrite, type Operations, wireOutcome } from "./operations.ts";
import type { SlotTable } from "./slot_table.ts";

const EMPTY = new Uint8Array(0);

/** Binds the service `KV`: operations one by one, as a stream, and the dump. */
export function bindKv(
  services: Services,
  engine: Engine,
  slots: SlotTable,
  operations: Operations,
  clock: Clock,
): void {
  services.unary(kv.get, ({ key }) => getOne(operations, key));
  services.unary(kv.put, (request) => writeOne(operations, "put", request));
  services.unary(kv.delete, (request) => writeOne(operations, "delete", { ...request, value: EMPTY }));
  services.stream(kv.operate, (replies) => new OperateStream(operations, replies));
  services.stream(kv.dump, (pages) => new DumpStream(engine, slots, clock, pages));
}

function getOne(operations: Operations, key: Uint8Array): Promise<GetReply> {
  return new Promise((resolve, reject) =>
    operations.get(key, {
      found: (value, version) => resolve({ found: true, value, version }),
      notFound: () => resolve({ found: false, value: EMPTY, version: 0 }),
      failed: reject,
    })
  );
}

function writeOne(
  operations: Operations,
  kind: "put" | "delete",
  request: PutRequest | (DeleteRequest & { value: Uint8Array }),
): Promise<WriteReply> {
  const { key, value, condition } = request;
  const write: IncomingWrite = {
    kind,
    key,
    value,
    condition: conditionFrom(condition),
    ...idOf(request.writeId),
  };
  return new Promise((resolve, reject) =>
    operations.write(write, {
      done: (outcome, version, epoch) => resolve({ outcome: wireOutcome(outcome), version, epoch }),
      failed: reject,
    })
  );
}

function idOf(
  id: WriteId | undefined,
): Pick<IncomingWrite, "clientId" | "sequence" | "lowestUnfinished" | "retry"> {
  if (id === undefined) return { clientId: "", sequence: 0, lowestUnfinished: 0, retry: false };
  const { clientId, sequence, lowestUnfinished, retry } = id;
  return { clientId: binaryFromBytes(clientId), sequence, lowestUnfinished, retry };
}
