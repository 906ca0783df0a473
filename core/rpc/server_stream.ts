import { Metadata, type ServerDuplexStream, type ServerWritableStream } from "@grpc/grpc-js";
import { KvError, UnreachableError } from "../platform/errors.ts";
import type { Incoming, Method, Replies, StreamHandler } from "../platform/ports.ts";
import { asKvError, errorToStatus } from "./errors.ts";
import { asBytes, encodeMessage, type Settings } from "./options.ts";

/** A call with one request, or with many. */
export type StreamCall = ServerWritableStream<Buffer, Buffer> | ServerDuplexStream<Buffer, Buffer>;

/** One stream at the end that answers. Open until `closed` of the handler was called. */
export class ServerStream<Q, A> implements Replies<A> {
  #incoming: Incoming<Q> | undefined;
  #open = true;
  #ended = false;

  constructor(
    readonly call: StreamCall,
    readonly method: Method<Q, A>,
    readonly settings: Settings,
    /** Told of errors that the handler throws. */
    readonly failed: (error: unknown) => void,
    readonly closed: () => void,
  ) {}

  start(handler: StreamHandler<Q, A>): void {
    const { call } = this;
    call.on("drain", () => {
      if (this.#open) this.#guard(() => this.#incoming?.drained?.());
    });
    call.on("cancelled", () => {
      const gone = `${this.method.path}: the client ${call.getPeer()} went away`;
      this.#close(this.#ended ? undefined : new UnreachableError(gone));
    });
    call.sendMetadata(new Metadata()); // tells the other side that the stream is accepted
    this.#guard(() => {
      this.#incoming = handler(this, call.getPeer());
    });
    if ("request" in call) {
      this.#onMessage(call.request);
      this.#onEnd();
    } else {
      call.on("data", (bytes: Buffer) => this.#onMessage(bytes));
      call.on("end", () => this.#onEnd());
    }
  }

  /** One that cannot be sent breaks the stream off: the other side would wait for it in vain. */
  send(message: A): boolean {
    if (!this.#open || this.#ended) return false;
    const { encodeReply, path } = this.method;
    let more = false;
    this.#guard(() => {
      more = this.call.write(encodeMessage(encodeReply, message, path, this.settings.messageBytesMax));
    });
    return more;
  }

  pause(): void {
    if (!("request" in this.call)) this.call.pause();
  }

  resume(): void {
    if (!("request" in this.call)) this.call.resume();
  }

  end(): void {
    if (!this.#open || this.#ended) return;
    this.#ended = true;
    this.call.end();
  }

  cancel(error?: Error): void {
    if (!this.#open) return;
    const reason = error === undefined
      ? new UnreachableError(`${this.method.path} cancelled`)
      : asKvError(error);
    if (!this.#ended) this.call.emit("error", errorToStatus(reason));
    this.#ended = true;
    queueMicrotask(() => this.#close(reason));
  }

  #onMessage(bytes: Buffer): void {
    if (!this.#open || this.#ended) return;
    this.#guard(() => {
      this.#incoming?.message(decodeRequest(this.method, bytes));
    });
  }

  #onEnd(): void {
    if (this.#open) this.#guard(() => this.#incoming?.ended?.());
  }

  #guard(step: () => void): void {
    try {
      step();
    } catch (error) {
      this.failed(error);
      this.cancel(asKvError(error));
    }
  }

  #close(error: Error | undefined): void {
    if (!this.#open) return;
    this.#open = false;
    this.closed();
    this.#incoming?.closed(error);
  }
}

/** @throws KvError `invalid` when the bytes are no such message */
export function decodeRequest<Q>(
  method: Pick<Method<Q, unknown>, "path" | "decodeRequest">,
  bytes: Buffer,
): Q {
  try {
    return method.decodeRequest(asBytes(bytes));
  } catch (error) {
    throw new KvError("invalid", `${method.path}: the request cannot be decoded`, {}, { cause: error });
  }
}
