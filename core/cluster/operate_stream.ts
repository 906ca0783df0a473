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
import type { Incoming, Replies } from "../platform/ports.ts";
import type { Waiter } from "../replication/write.ts";
import { errorToDetail } from "../rpc/errors.ts";
import { conditionFrom, type Operations, type Reader, wireOutcome } from "./operations.ts";

/** A reply message is sent when it has reached this many bytes, so that it stays below the transport's limit. */
const REPLY_BYTES = 256 * 1024;
/** What a reply takes besides its value and the text of its error, at most. */
const OVERHEAD_BYTES = 64;
/** So many gets of a stream may wait for their values: they could all get large ones in the same moment. */
const WAITING_GETS_MAX = 256;
/** While there are more, none waits for a slot to be served: those of slots that are would wait behind it. */
const DEFERRED_GETS_MAX = 64;
const EMPTY = new Uint8Array(0);

/**
 * One client's stream of operations; the replies that are ready in the same turn leave in one message.
 *
 * What replies take in memory is bounded however slowly the client takes them: meanwhile no operation is begun and no
 * message is read. Only writes that are under way add replies then, which are small.
 */
export class OperateStream implements Incoming<OperationBatch> {
  /** Not begun yet, from `#next` of the first on. */
  #batches: OperationBatch[] = [];
  #next = 0;
  #beginning = false;
  #paused = false;
  #replies: Reply[] = [];
  #replyBytes = 0;
  #flushing = false;
  #blocked = false;
  #closed = false;
  #ended = false;
  #unanswered = 0;
  #waitingGets = 0;

  constructor(
    private readonly operations: Pick<Operations, "get" | "write">,
    private readonly outgoing: Replies<ReplyBatch>,
  ) {}

  message(batch: OperationBatch): void {
    this.#batches.push(batch);
    this.#unanswered += batch.operations.length;
    this.#begin();
  }

  drained(): void {
    this.#blocked = false;
    this.#flush();
    this.#begin();
  }

  ended(): void {
    this.#ended = true;
    this.#flush();
  }

  closed(): void {
    this.#closed = true;
    this.#batches = [];
    this.#replies = [];
  }

  reply(reply: Reply, isGet: boolean): void {
    this.#unanswered--;
    if (isGet) this.#waitingGets--;
    if (this.#closed) return;
    this.#replies.push(reply);
    this.#replyBytes += bytesOf(reply);
    if (this.#replyBytes >= REPLY_BYTES) this.#flush();
    else if (!this.#flushing) {
      this.#flushing = true;
      queueMicrotask(() => this.#flush());
    }
    if (this.#paused) this.#begin();
  }

  /** Begins what may begin; with a rest that may not, nothing more is read. */
  #begin(): void {
    if (this.#beginning) return;
    this.#beginning = true;
    try {
      while (this.#mayBegin && this.#batches.length > 0) this.#beginNext(this.#batches[0]!);
    } finally {
      this.#beginning = false;
    }
    const rest = this.#batches.length > 0;
    if (rest === this.#paused) return;
    this.#paused = rest;
    if (rest) this.outgoing.pause();
    else this.outgoing.resume();
  }

  get #mayBegin(): boolean {
    return !this.#blocked && this.#waitingGets < WAITING_GETS_MAX;
  }

  #beginNext(batch: OperationBatch): void {
    const clientId = binaryFromBytes(batch.clientId);
    const { operations, lowestUnfinished } = batch;
    while (this.#mayBegin && this.#next < operations.length) {
      const operation = operations[this.#next++]!;
      const isGet = operation.kind === OperationKind.GET;
      const answer = new Answer(this, operation.id, isGet);
      if (isGet) this.#waitingGets++;
      if (isGet) this.operations.get(operation.key, answer, this.#waitingGets <= DEFERRED_GETS_MAX);
      else this.#write(operation, clientId, lowestUnfinished, answer);
    }
    if (this.#next < operations.length) return;
    this.#batches.shift();
    this.#next = 0;
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
    while (!this.#closed && !this.#blocked && this.#replies.length > 0) {
      this.#blocked = !this.outgoing.send({ replies: this.#takeReplies() });
    }
    if (this.#ended && this.#unanswered === 0 && this.#replies.length === 0) this.outgoing.end();
  }

  /** Those of the next message. */
  #takeReplies(): Reply[] {
    let bytes = 0;
    let count = 0;
    while (count < this.#replies.length && bytes < REPLY_BYTES) bytes += bytesOf(this.#replies[count++]!);
    this.#replyBytes -= bytes;
    const taken = this.#replies;
    this.#replies = taken.splice(count);
    return taken;
  }
}

function bytesOf({ value, error }: Reply): number {
  return value.length + (error?.message.length ?? 0) + OVERHEAD_BYTES;
}

/** Turns the answer of one operation into its reply. */
class Answer implements Waiter, Reader {
  constructor(
    private readonly stream: OperateStream,
    private readonly id: number,
    private readonly isGet: boolean,
  ) {}

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
    this.stream.reply({ id, outcome: wireOutcome(outcome), found, value, version, epoch, error }, this.isGet);
  }
}
