/**
 * The way to one data node: a queue, and the stream that empties it.
 *
 * A node is pinged before the stream is opened, and nothing is handed to the transport before it has answered: so a
 * write for a node that is down was never sent, and its outcome is known. While the node cannot be reached operations
 * stay in the queue, until their time limit or a ring that names another owner takes them away.
 */

import type { OperationBatch, Reply, ReplyBatch } from "../../proto/gen/kv/v1/kv.ts";
import { KvError, messageOf, UnreachableError } from "../platform/errors.ts";
import type { Cancel, Clock, Incoming, Outgoing, Random, Transport } from "../platform/ports.ts";
import type { RingNode } from "../ring/ring.ts";
import { kv, routing } from "../rpc/methods.ts";
import { backoffMs } from "./backoff.ts";
import type { Carrier, Operation } from "./operation.ts";
import type { WriteIds } from "./write_ids.ts";

/** A message takes more operations only up to this size; a larger operation goes alone. */
const BATCH_BYTES_MAX = 1024 * 1024;
/** Shorter messages overlap better: the node works on one while the client takes the answers of the one before. */
const BATCH_OPERATIONS_MAX = 128;
/** A node that owes answers and says nothing for so long is pinged. */
const SILENCE_MS = 500;
const PING_TIMEOUT_MS = 1000;
/** Sending ids start again at 1 after this one: above it V8 no longer keeps numbers as small integers. */
const SENDING_ID_MAX = 2 ** 30 - 1;

const NO_CLIENT_ID = new Uint8Array(0);

export interface ConnectionListener {
  /** `latest`: the reply is to the operation's latest sending. The operation may be done already. */
  replied(operation: Operation, reply: Reply, latest: boolean): void;
  /** The stream broke before the operation's latest sending was answered. */
  lost(operation: Operation, error: KvError): void;
}

export interface ConnectionPorts {
  readonly clock: Clock;
  readonly random: Random;
  readonly transport: Transport;
}

/** Idle: opens when there is work, or when told to. Resting: after a failure, before the next try. */
type Phase = "idle" | "opening" | "open" | "resting" | "closed";

export class Connection implements Carrier {
  #phase: Phase = "idle";
  /** Rises whenever the phase changes, so that late callbacks of an earlier phase are recognised. */
  #generation = 0;
  #queue: Operation[] = [];
  #flushScheduled = false;
  /** Defined <=> phase is open. */
  #stream: Outgoing<OperationBatch> | undefined = undefined;
  /** The transport has asked to wait for `drained`. */
  #blocked = false;
  /** Sendings on this stream without an answer, oldest first. */
  #unanswered = new Map<number, Operation>();
  #lastSendingId = 0;
  #heard = false;
  #probe: Cancel | undefined = undefined;
  #rest: Cancel | undefined = undefined;
  #failures = 0;
  #lastError: KvError | undefined = undefined;

  constructor(
    readonly node: RingNode,
    private readonly ports: ConnectionPorts,
    private readonly listener: ConnectionListener,
  ) {}

  /** Why the node cannot be reached at present; undefined while nothing is known to be wrong. */
  get lastError(): KvError | undefined {
    return this.#lastError;
  }

  /** Opens the stream though nothing is to be sent yet. */
  open(): void {
    if (this.#phase === "idle") void this.#open();
  }

  /** Sends the operation together with all others that are added in this turn of the event loop. */
  add(operation: Operation): void {
    operation.state = "queued";
    operation.carrier = this;
    this.#queue.push(operation);
    if (this.#flushScheduled || this.#blocked) return;
    this.#flushScheduled = true;
    queueMicrotask(this.#flush);
  }

  /** Leaves its operations as they are: the caller has given them to others, or ends them. */
  close(): void {
    this.#leaveStream();
    this.#enter("closed");
    this.#queue = [];
  }

  readonly #flush = (): void => {
    this.#flushScheduled = false;
    if (this.#phase === "idle" && this.#queue.length > 0) void this.#open();
    if (this.#phase !== "open") return;
    const queue = this.#queue;
    this.#queue = [];
    let next = 0;
    while (next < queue.length && this.#stream !== undefined && !this.#blocked) {
      next = this.#sendBatch(this.#stream, queue, next);
    }
    if (next < queue.length) this.#queue = queue.slice(next).concat(this.#queue);
  };

  /** Sends one message with operations from `queue[from]` on; returns where the next one begins. */
  #sendBatch(stream: Outgoing<OperationBatch>, queue: Operation[], from: number): number {
    const operations: OperationBatch["operations"] = [];
    let ids: WriteIds | undefined;
    let bytes = 0;
    let next = from;
    for (; next < queue.length; next++) {
      const operation = queue[next]!;
      // It has ended or moved since it was queued; or it stands in the queue twice, having moved away and back.
      if (operation.state !== "queued" || operation.carrier !== this) continue;
      if (bytes > 0 && bytes + operation.bytes > BATCH_BYTES_MAX) break;
      if (operations.length === BATCH_OPERATIONS_MAX) break;
      if (operation.ids !== undefined && operation.ids !== (ids ??= operation.ids)) break;
      bytes += operation.bytes;
      const id = this.#takeSendingId();
      this.#unanswered.set(id, operation);
      operations.push(operation.sending(id));
    }
    if (operations.length === 0) return next;
    this.#watch();
    const clientId = ids?.clientId ?? NO_CLIENT_ID;
    const lowestUnfinished = ids?.lowestUnfinished ?? 0;
    if (!stream.send({ operations, clientId, lowestUnfinished })) this.#blocked = this.#stream === stream;
    return next;
  }

  #takeSendingId(): number {
    do {
      this.#lastSendingId = this.#lastSendingId === SENDING_ID_MAX ? 1 : this.#lastSendingId + 1;
    } while (this.#unanswered.has(this.#lastSendingId));
    return this.#lastSendingId;
  }

  async #open(): Promise<void> {
    const generation = this.#enter("opening");
    try {
      await this.#ping();
    } catch (error) {
      if (generation === this.#generation) this.#failed(error);
      return;
    }
    if (generation === this.#generation) this.#openStream();
  }

  /** Rejects unless the node that is meant answers: another may have taken over its port. */
  async #ping(): Promise<void> {
    const { address, ref } = this.node;
    const { node } = await this.ports.transport.call(address, routing.ping, {}, PING_TIMEOUT_MS);
    if (node !== undefined && node.id !== ref.id) {
      throw new UnreachableError(`another node, ${node.id}, answers at ${address}`);
    }
  }

  #openStream(): void {
    const generation = this.#enter("open");
    const whileOpen = (act: () => void) => {
      if (generation === this.#generation) act();
    };
    const stream = this.ports.transport.stream(
      this.node.address,
      kv.operate,
      {
        message: (batch) => whileOpen(() => this.#receive(batch)),
        drained: () => whileOpen(() => this.#drained()),
        closed: (error) => whileOpen(() => this.#failed(error ?? new Error("the node closed the stream"))),
      } satisfies Incoming<ReplyBatch>,
    );
    if (generation !== this.#generation) return stream.cancel();
    this.#stream = stream;
    this.#lastError = undefined;
    this.#flush();
  }

  #receive({ replies }: ReplyBatch): void {
    this.#heard = true;
    this.#failures = 0;
    this.#lastError = undefined;
    for (const reply of replies) {
      const operation = this.#unanswered.get(reply.id);
      if (operation === undefined) continue;
      this.#unanswered.delete(reply.id);
      this.listener.replied(operation, reply, this.#isLatest(operation, reply.id));
    }
  }

  #drained(): void {
    this.#blocked = false;
    this.#flush();
  }

  #isLatest(operation: Operation, sendingId: number): boolean {
    return operation.state === "sent" && operation.carrier === this && operation.sendingId === sendingId;
  }

  /** The stream broke, or could not be opened: rests for a moment, then tries again if there is work. */
  #failed(cause: unknown): void {
    const { address } = this.node;
    const error = cause instanceof KvError
      ? cause
      : new UnreachableError(`no connection to ${address}: ${messageOf(cause)}`, { cause });
    this.#lastError = error;
    const unanswered = this.#leaveStream();
    this.#enter("resting");
    this.#queue = this.#queue.filter((each) => each.state === "queued" && each.carrier === this);
    this.#rest = this.ports.clock.after(backoffMs(++this.#failures, this.ports.random), () => {
      this.#enter("idle");
      this.#flush();
    });
    for (const [id, operation] of unanswered) {
      if (this.#isLatest(operation, id)) this.listener.lost(operation, error);
    }
  }

  /** Cancels what belongs to the present phase; returns the sendings that will not be answered any more. */
  #leaveStream(): Map<number, Operation> {
    const unanswered = this.#unanswered;
    const stream = this.#stream;
    this.#unanswered = new Map();
    this.#stream = undefined;
    this.#blocked = false;
    this.#generation++;
    this.#probe?.();
    this.#probe = undefined;
    this.#rest?.();
    this.#rest = undefined;
    stream?.cancel();
    return unanswered;
  }

  #enter(phase: Phase): number {
    this.#phase = phase;
    return ++this.#generation;
  }

  /** While answers are owed, looks every now and then whether any came, and pings the node if none did. */
  #watch(): void {
    if (this.#probe !== undefined) return;
    this.#heard = false;
    this.#probe = this.ports.clock.after(SILENCE_MS, () => {
      if (this.#heard || this.#unanswered.size === 0) {
        this.#probe = undefined;
        if (this.#unanswered.size > 0) this.#watch();
        return;
      }
      void this.#probeNode();
    });
  }

  async #probeNode(): Promise<void> {
    const generation = this.#generation;
    try {
      await this.#ping();
    } catch (error) {
      if (generation === this.#generation && !this.#heard) return this.#failed(error);
    }
    if (generation !== this.#generation) return;
    this.#probe = undefined;
    this.#watch();
  }
}
