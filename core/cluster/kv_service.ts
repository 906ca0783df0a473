import {
  type DeleteRequest,
  type DumpEntry,
  type DumpPage,
  type DumpRequest,
  type GetReply,
  type PutRequest,
  type WriteId,
  type WriteReply,
} from "../../proto/gen/kv/v1/kv.ts";
import { binaryFromBytes, bytesFromBinary } from "../platform/binary.ts";
import { KvError } from "../platform/errors.ts";
import type { Incoming, Outgoing, Services } from "../platform/ports.ts";
import { kv } from "../rpc/methods.ts";
import type { Engine } from "../storage/engine.ts";
import { OperateStream } from "./operate_stream.ts";
import { conditionFrom, type IncomingWrite, type Operations, wireOutcome } from "./operations.ts";
import type { SlotTable } from "./slot_table.ts";

const EMPTY = new Uint8Array(0);
/** A page of a dump is sent when it has reached this many bytes. */
const PAGE_BYTES = 256 * 1024;

/** Binds the service `KV`: operations one by one, as a stream, and the dump. */
export function bindKv(services: Services, engine: Engine, slots: SlotTable, operations: Operations): void {
  services.unary(kv.get, ({ key }) => getOne(operations, key));
  services.unary(kv.put, (request) => writeOne(operations, "put", request));
  services.unary(kv.delete, (request) => writeOne(operations, "delete", { ...request, value: EMPTY }));
  services.stream(kv.operate, (replies) => new OperateStream(operations, replies));
  services.stream(kv.dump, (pages) => new DumpStream(engine, slots, pages));
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

/** Answers one dump request: slot by slot, each as it is in one turn, waiting whenever the receiver is slow. */
class DumpStream implements Incoming<DumpRequest> {
  #pages: Generator<DumpPage> | undefined;
  #closed = false;

  constructor(
    private readonly engine: Engine,
    private readonly slots: SlotTable,
    private readonly outgoing: Outgoing<DumpPage>,
  ) {}

  message(request: DumpRequest): void {
    if (this.#pages !== undefined) return;
    this.#pages = this.#dump(request);
    this.drained();
  }

  drained(): void {
    if (this.#closed || this.#pages === undefined) return;
    try {
      for (;;) {
        const { value: page, done } = this.#pages.next();
        if (done) return this.outgoing.end();
        if (!this.outgoing.send(page)) return;
      }
    } catch (error) {
      this.outgoing.cancel(error instanceof Error ? error : new Error(String(error)));
    }
  }

  closed(): void {
    this.#closed = true;
  }

  *#dump({ slots, keysOnly }: DumpRequest): Generator<DumpPage> {
    const wanted = slots.length > 0 ? slots : this.slots.owned();
    let entries: DumpEntry[] = [];
    let pageBytes = 0;
    for (const slot of wanted) {
      for (const entry of this.#slotEntries(slot, keysOnly)) {
        entries.push(entry);
        pageBytes += entry.key.length + entry.value.length;
        if (pageBytes < PAGE_BYTES) continue;
        yield { entries };
        entries = [];
        pageBytes = 0;
      }
    }
    if (entries.length > 0) yield { entries };
  }

  /** The whole slot at once, so that it is a state the slot had. */
  #slotEntries(slot: number, keysOnly: boolean): DumpEntry[] {
    const owner = this.slots.owner(slot);
    if (owner === undefined) {
      const fields = { slot, ringVersion: this.slots.ringVersion };
      throw new KvError("wrong-owner", `slot ${slot} is not served by this node`, fields);
    }
    const found: DumpEntry[] = [];
    for (const { key, value, version } of this.engine.entries(slot, keysOnly)) {
      found.push({ key: bytesFromBinary(key), value, version, slot });
    }
    owner.checkAnswer();
    return found;
  }
}
