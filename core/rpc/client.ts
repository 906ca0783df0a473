/** The calling half of the gRPC transport. */

import { status as Status, type StatusObject } from "@grpc/grpc-js";
import { KvError, messageOf, UnreachableError } from "../platform/errors.ts";
import type { Address, Cancel, Incoming, Method, Outgoing } from "../platform/ports.ts";
import type { ByteStream, Channel, Channels } from "./channel.ts";
import { asKvError, errorFromStatus } from "./errors.ts";
import { asBytes, encodeMessage, type Settings } from "./options.ts";

/** See `Transport.call`. */
export function call<Q, A>(
  channels: Channels,
  to: Address,
  method: Method<Q, A>,
  request: Q,
  timeoutMs: number,
): Promise<A> {
  return new Promise((resolve, reject) => {
    const channel = channels.to(to);
    const bytes = encodeMessage(
      method.encodeRequest,
      request,
      method.path,
      channels.settings.messageBytesMax,
    );
    channel.unary(method.path, bytes, timeoutMs, (error, reply) => {
      if (error !== undefined || reply === undefined) {
        channels.timedOut(channel);
        return reject(error);
      }
      try {
        resolve(method.decodeReply(asBytes(reply)));
      } catch (error) {
        reject(unreadable(method.path, to, error));
      }
    });
  });
}

/** See `Transport.stream`. */
export function openStream<Q, A>(
  channels: Channels,
  to: Address,
  method: Method<Q, A>,
  replies: Incoming<A>,
): Outgoing<Q> {
  let channel: Channel;
  try {
    channel = channels.to(to);
  } catch (error) {
    queueMicrotask(() => replies.closed(asKvError(error)));
    return { send: () => false, end: () => {}, cancel: () => {} };
  }
  return new ClientStream(channels, channel, method, replies);
}

/** One stream at the end that opened it. Open until `replies.closed` was called. */
class ClientStream<Q, A> implements Outgoing<Q> {
  readonly #settings: Settings;
  readonly #call: ByteStream;
  readonly #cancelOpenTimer: Cancel;
  /** Why this end broke the stream off. */
  #reason: KvError | undefined;
  #status: StatusObject | undefined;
  #open = true;
  #ended = false;

  constructor(
    channels: Channels,
    readonly channel: Channel,
    readonly method: Method<Q, A>,
    readonly replies: Incoming<A>,
  ) {
    this.#settings = channels.settings;
    this.#call = channel.stream(method.path, (status) => this.#onStatus(status));
    this.#call.on("data", (bytes: Buffer) => this.#onMessage(bytes));
    this.#call.on("end", () => this.#closeIfOver());
    this.#call.on("drain", () => this.#guard(() => this.replies.drained?.()));
    this.#call.on("metadata", () => this.#cancelOpenTimer());
    this.#call.on("error", () => {}); // told by the status
    this.#cancelOpenTimer = this.#settings.clock.after(this.#settings.openTimeoutMs, () => {
      this.#breakOff(
        new UnreachableError(`${this.#what} was not accepted within ${this.#settings.openTimeoutMs} ms`),
      );
      channels.timedOut(channel);
    });
  }

  send(message: Q): boolean {
    if (!this.#open || this.#ended) return false;
    const { encodeRequest, path, requestStream } = this.method;
    const more = this.#call.write(
      encodeMessage(encodeRequest, message, path, this.#settings.messageBytesMax),
    );
    if (!requestStream) this.end();
    return more;
  }

  end(): void {
    if (!this.#open || this.#ended) return;
    this.#ended = true;
    this.#call.end();
  }

  cancel(error?: Error): void {
    this.#breakOff(
      error instanceof KvError ? error : new UnreachableError(error?.message ?? `${this.#what} cancelled`),
    );
  }

  get #what(): string {
    return `stream ${this.method.path} to ${this.channel.address}`;
  }

  #breakOff(reason: KvError): void {
    if (!this.#open || this.#reason !== undefined) return;
    this.#reason = reason;
    this.#call.cancel();
  }

  #onMessage(bytes: Buffer): void {
    this.#guard(() => this.replies.message(this.method.decodeReply(asBytes(bytes))));
  }

  #guard(step: () => void): void {
    if (!this.#open || this.#reason !== undefined) return;
    try {
      step();
    } catch (error) {
      this.#breakOff(unreadable(this.method.path, this.channel.address, error));
    }
  }

  #onStatus(status: StatusObject): void {
    this.#status = status;
    this.#closeIfOver();
  }

  /** After an orderly end, messages that wait to be read still come; after any other they do not matter. */
  #closeIfOver(): void {
    const status = this.#status;
    if (!this.#open || status === undefined) return;
    const orderly = status.code === Status.OK && this.#reason === undefined;
    if (orderly && !this.#call.readableEnded) return;
    this.#open = false;
    this.#cancelOpenTimer();
    const error = this.#reason ?? (orderly ? undefined : errorFromStatus(status, `${this.#what}`));
    this.replies.closed(error);
  }
}

function unreadable(path: string, from: Address, error: unknown): KvError {
  return new KvError("internal", `cannot handle the reply to ${path} from ${from}: ${messageOf(error)}`, {}, {
    cause: error,
  });
}
