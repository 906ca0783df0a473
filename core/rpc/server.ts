/** The answering half of the gRPC transport. */

import { type sendUnaryData, Server, type ServerUnaryCall, type UntypedHandleCall } from "@grpc/grpc-js";
import type { EventEmitter } from "node:events";
import { KvError, UnreachableError } from "../platform/errors.ts";
import type { Address, Listener, Method, Services, StreamHandler, UnaryHandler } from "../platform/ports.ts";
import { acceptConnections, type Connections } from "./connections.ts";
import { asKvError, errorToStatus, PlainStatus } from "./errors.ts";
import { channelOptions, encodeMessage, type Settings } from "./options.ts";
import { decodeRequest, ServerStream, type StreamCall } from "./server_stream.ts";

const same = (bytes: Buffer): Buffer => bytes;

/** See `Transport.listen`. */
export async function listen(
  address: Address,
  bind: (services: Services) => void,
  settings: Settings,
): Promise<Listener> {
  const server = new RpcServer(settings);
  bind(server);
  return await server.listen(address);
}

class RpcServer implements Services {
  readonly #grpc: Server;
  readonly #streams = new Set<{ cancel(error: Error): void }>();
  /** Calls of both kinds whose answer has not yet gone out completely. */
  #openCalls = 0;
  /** Called when there is none left. */
  #quiet: (() => void) | undefined;
  #stopping = false;

  constructor(readonly settings: Settings) {
    this.#grpc = new Server(channelOptions(settings));
  }

  unary<Q, A>(method: Method<Q, A>, handler: UnaryHandler<Q, A>): void {
    const answer = async (call: ServerUnaryCall<Buffer, Buffer>, done: sendUnaryData<Buffer>) => {
      this.#opened(call);
      try {
        if (this.#stopping) throw new KvError("unavailable", "the server is stopping; nothing was done");
        const reply = await handler(decodeRequest(method, call.request), call.getPeer());
        done(null, encodeMessage(method.encodeReply, reply, method.path, this.settings.messageBytesMax));
      } catch (error) {
        this.#report(method.path, error);
        done(errorToStatus(error));
      }
    };
    this.#register(method.path, answer, "unary");
  }

  stream<Q, A>(method: Method<Q, A>, handler: StreamHandler<Q, A>): void {
    const answer = (call: StreamCall) => {
      this.#opened(call);
      const failed = (error: unknown) => this.#report(method.path, error);
      const stream = new ServerStream(
        call,
        method,
        this.settings,
        failed,
        () => this.#streams.delete(stream),
      );
      this.#streams.add(stream);
      if (this.#stopping) stream.cancel(stopping());
      else stream.start(handler);
    };
    this.#register(method.path, answer, method.requestStream ? "bidi" : "serverStream");
  }

  async listen(address: Address): Promise<Listener> {
    const connections = await acceptConnections(address, this.#grpc, this.settings);
    let closing: Promise<void> | undefined;
    return { address: connections.address, close: () => closing ??= this.#close(connections) };
  }

  /**
   * Lets the running calls end, breaks off the streams, and then closes the connections as the end of the process
   * would. The library's own ways to shut down send a GOAWAY that disowns calls that were in fact handled.
   */
  async #close(connections: Connections): Promise<void> {
    this.#stopping = true;
    connections.stopAccepting();
    for (const stream of [...this.#streams]) stream.cancel(stopping());
    await this.#callsEnded();
    await connections.close();
    this.#grpc.forceShutdown();
  }

  #callsEnded(): Promise<void> {
    if (this.#openCalls === 0) return Promise.resolve();
    return new Promise((resolve) => {
      const cancel = this.settings.clock.after(this.settings.drainTimeoutMs, resolve);
      this.#quiet = () => {
        cancel();
        resolve();
      };
    });
  }

  /** The library's `cancelled` comes once for every call, after its status has gone out or its connection broke. */
  #opened(call: EventEmitter): void {
    this.#openCalls++;
    call.once("cancelled", () => {
      if (--this.#openCalls === 0) this.#quiet?.();
    });
  }

  /** Bugs are told where they happened, too; other errors are the caller's to tell. */
  #report(path: string, error: unknown): void {
    if (error instanceof PlainStatus) return;
    const { code, message, stack } = asKvError(error);
    if (code === "internal") this.settings.log("error", `${path} failed`, { error: message, stack });
  }

  #register(path: string, handler: UntypedHandleCall, kind: "unary" | "serverStream" | "bidi"): void {
    const added = this.#grpc.register(path, handler, same, same, kind);
    if (!added) throw new KvError("internal", `${path} is bound twice`);
  }
}

function stopping(): UnreachableError {
  return new UnreachableError("the server is stopping");
}
