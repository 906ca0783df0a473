import {
  type ErrorDetail,
  type Operation,
  type OperationBatch,
  OperationKind,
  type Reply,
  type ReplyBatch,
} from "../../proto/gen/kv/v1/kv.ts";
import { binaryFromBytes } from "../platform/binary.ts";
import type { KvError } from "../platform/errors.ts";
import type { Incoming, Outgoing } from "../platform/ports.ts";
import type { Waiter } from "../replication/write.ts";
import { errorToDetail } from "../rpc/errors.ts";
import { conditionFrom, type Operations, type Reader, wireOutcome } from "./operations.ts";

/** A reply message is sent when its values have reached this many bytes, so that it stays below the transport's limit. */
const REPLY_BYTES = 256 * 1024;
const EMPTY = new Uint8Array(0);

/** One client's stream of operations; the replies that are ready in the same turn leave in one message. */
export class OperateStream implements Incoming<OperationBatch> {
  #replies: Reply[] = [];
  #replyBytes = 0;
  #flushing = false;
  #blocked = false;
  #closed = false;
  #ended = false;
  #unanswered = 0;

  constructor(private readonly operations: Operations, private readonly outgoing: Outgoing<ReplyBatch>) {}

  message(batch: OperationBatch): void {
    const clientId = binaryFromBytes(batch.clientId);
    this.#unanswered += batch.operations.length;
    for (const operation of batch.operations) {
      const answer = new Answer(this, operation.id);
      if (operation.kind === OperationKind.GET) this.operations.get(operation.key, answer);
      else this.#write(operation, clientId, batch.lowestUnfinished, answer);
    }
  }

  drained(): void {
    this.#blocked = false;
    this.#flush();
  }

  ended(): void {
    this.#ended = true;
    this.#flush();
  }

  closed(): void {
    this.#closed = true;
    this.#replies = [];
  }

  reply(reply: Reply): void {
    this.#unanswered--;
    if (this.#closed) return;
    this.#replies.push(reply);
    this.#replyBytes += reply.value.length;
    if (this.#replyBytes >= REPLY_BYTES) return this.#flush();
    if (this.#flushing) return;
    this.#flushing = true;
    queueMicrotask(() => this.#flush());
  }

  #write(operation: Operation, clientId: string, lowestUnfinished: number, answer: Answer): void {
    const { key, value, sequence, retry } = operation;
    this.operations.write({
      kind: operation.kind === OperationKind.PUT ? "put" : "delete",
      key,
      value,
      condition: conditionFrom(operation.condition),
      clientId: sequence > 0 ? clientId : "",
      sequence,
      lowestUnfinished,
      retry,
    }, answer);
  }

  #flush(): void {
    this.#flushing = false;
    if (this.#closed || this.#blocked) return;
    if (this.#replies.length > 0) {
      const replies = this.#replies;
      this.#replies = [];
      this.#replyBytes = 0;
      this.#blocked = !this.outgoing.send({ replies });
    }
    if (this.#ended && this.#unanswered === 0) this.outgoing.end();
  }
}

/** Turns the answer of one operation into its reply. */
class Answer implements Waiter, Reader {
  constructor(private readonly stream: OperateStream, private readonly id: number) {}

  found(value: Uint8Array, version: number): void {
    this.#reply(0, true, value, version, 0);
  }

  notFound(): void {
    this.#reply(0, false, EMPTY, 0, 0);
  }

  done(outcome: number, version: number, epoch: number): void {
    this.#reply(outcome, false, EMPTY, version, epoch);
  }

  failed(error: KvError): void {
    this.#reply(0, false, EMPTY, 0, 0, errorToDetail(error));
  }

  #reply(
    outcome: number,
    found: boolean,
    value: Uint8Array,
    version: number,
    epoch: number,
    error?: ErrorDetail,
  ): void {
    const { id } = this;
    this.stream.reply({ id, outcome: wireOutcome(outcome), found, value, version, epoch, error });
  }
}
