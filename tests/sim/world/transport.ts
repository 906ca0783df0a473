import { KvError, messageOf, UnreachableError } from "../../../core/platform/errors.ts";
import type {
  Address,
  Incoming,
  Listener,
  Method,
  Outgoing,
  Services,
  StreamHandler,
  Transport,
  UnaryHandler,
} from "../../../core/platform/ports.ts";
import type { Link, SimNetwork } from "./network.ts";
import type { SimProcess } from "./scheduler.ts";
import { SimStream } from "./stream.ts";

/** What a server answers to: handlers over bytes, by the method's path. */
export class Listening {
  readonly calls = new Map<string, (request: Uint8Array, peer: Address) => Promise<Uint8Array>>();
  readonly streams = new Map<string, (stream: SimStream, peer: Address) => void>();

  get services(): Services {
    return {
      unary: <Q, A>(method: Method<Q, A>, handler: UnaryHandler<Q, A>) => {
        this.calls.set(
          method.path,
          async (request, peer) => method.encodeReply(await handler(method.decodeRequest(request), peer)),
        );
      },
      stream: <Q, A>(method: Method<Q, A>, handler: StreamHandler<Q, A>) => {
        this.streams.set(method.path, (stream, peer) => accept(stream, peer, method, handler));
      },
    };
  }
}

function accept<Q, A>(
  stream: SimStream,
  peer: Address,
  method: Method<Q, A>,
  handler: StreamHandler<Q, A>,
): void {
  const { client, server } = stream;
  const outgoing = stream.outgoing<A>(server, method.encodeReply, () => {
    stream.close(client, undefined);
    stream.transmit(client, () => stream.close(server, undefined));
  }, false);
  const pause = (paused: boolean) => stream.pause(server, paused);
  const replies = { ...outgoing, pause: () => pause(true), resume: () => pause(false) };
  try {
    stream.attach(server, handler(replies, peer), method.decodeRequest);
  } catch (error) {
    replies.cancel(asKvError(error));
  }
}

/** A call under way. */
class Call implements Link {
  open = true;
  server: SimProcess | undefined;

  constructor(
    readonly network: SimNetwork<Listening>,
    readonly client: SimProcess,
    readonly settled: { resolve(reply: Uint8Array): void; reject(error: Error): void; always(): void },
  ) {
    network.links.add(this);
  }

  get processes(): readonly [SimProcess, SimProcess | undefined] {
    return [this.client, this.server];
  }

  finish(reply: Uint8Array | Error): void {
    if (!this.open) return;
    this.open = false;
    this.network.links.delete(this);
    this.settled.always();
    if (reply instanceof Error) this.settled.reject(reply);
    else this.settled.resolve(reply);
  }

  breakAt(survivor: SimProcess, error: UnreachableError): void {
    if (survivor === this.client) this.network.scheduler.after(0, () => this.finish(error), this.client);
  }

  reset(error: UnreachableError): void {
    this.network.scheduler.after(this.network.latencyMs(), () => this.finish(error), this.client);
  }

  lost(): void {}

  resume(): void {}

  /** Sends one of the call's two messages; a lost one is never heard of again. */
  transmit(from: SimProcess, to: SimProcess, arrive: () => void): void {
    const { network } = this;
    if (!from.alive) return;
    if (network.isCut(from, to)) return network.count("message lost by partition");
    if (network.random.chance(network.settings.callLoss)) return network.count("call message lost");
    if (network.random.chance(network.settings.reset)) {
      network.count("call reset");
      return this.reset(new UnreachableError("connection reset"));
    }
    network.scheduler.after(network.delayMs(from, to), arrive, to, "call");
  }
}

/** The transport of one process. */
export class SimTransport implements Transport {
  constructor(readonly network: SimNetwork<Listening>, readonly process: SimProcess) {}

  call<Q, A>(to: Address, method: Method<Q, A>, request: Q, timeoutMs: number): Promise<A> {
    const bytes = method.encodeRequest(request);
    const { path } = method;
    const [from, other] = [this.process.name, this.network.servers.get(to)?.process.name ?? to];
    this.network.onMessage?.({ from, to: other, path, reply: false, message: request });
    return new Promise<Uint8Array>((resolve, reject) => {
      const call = new Call(this.network, this.process, { resolve, reject, always: () => cancelTimer() });
      const cancelTimer = this.network.scheduler.after(
        timeoutMs,
        () =>
          call.finish(new UnreachableError(`no answer from ${to} to ${method.path} within ${timeoutMs} ms`)),
        this.process,
        "call timeout",
      );
      this.#start(call, to, method.path, bytes);
    }).then((reply) => {
      const message = method.decodeReply(reply);
      this.network.onMessage?.({ from: other, to: from, path, reply: true, message });
      return message;
    });
  }

  stream<Q, A>(to: Address, method: Method<Q, A>, replies: Incoming<A>): Outgoing<Q> {
    const server = this.network.servers.get(to);
    const stream = new SimStream(this.network, method.path, this.process, server?.process ?? this.process);
    const { client } = stream;
    stream.attach(client, replies, method.decodeReply);
    stream.transmit(client, () => {
      const now = this.network.servers.get(to);
      const open = now === server ? now?.listening.streams.get(method.path) : undefined;
      if (open !== undefined) return open(stream, peerOf(this.process));
      const error = new UnreachableError(`connection to ${to} refused`);
      stream.transmit(stream.server, () => stream.close(client, error));
      stream.close(stream.server, error);
    });
    const ended = () => stream.server.take(() => stream.server.incoming?.ended());
    return stream.outgoing<Q>(client, method.encodeRequest, ended, !method.requestStream);
  }

  listen(address: Address, bind: (services: Services) => void): Promise<Listener> {
    const [host, port] = splitAddress(address);
    const taken: Address = port === "0" ? `${host}:${this.network.freePort()}` : address;
    if (this.network.servers.has(taken)) {
      return Promise.reject(new KvError("refused", `address ${taken} is in use; choose another port`));
    }
    const listening = new Listening();
    bind(listening.services);
    const server = { process: this.process, listening };
    this.network.servers.set(taken, server);
    const close = () => {
      if (this.network.servers.get(taken) === server) this.network.servers.delete(taken);
      this.#closeServerStreams();
      return Promise.resolve();
    };
    return Promise.resolve({ address: taken, close });
  }

  close(): void {
    const error = new UnreachableError("transport closed");
    for (const link of [...this.network.links]) {
      if (link instanceof Call && link.client === this.process) link.finish(error);
      if (link instanceof SimStream && link.client.process === this.process) link.reset(error);
    }
  }

  #start(call: Call, to: Address, path: string, bytes: Uint8Array): void {
    const { network } = this;
    const server = network.servers.get(to);
    if (server === undefined) {
      const error = new UnreachableError(`connection to ${to} refused`);
      network.scheduler.after(2 * network.latencyMs(), () => call.finish(error), this.process);
      return;
    }
    call.server = server.process;
    const peer = peerOf(this.process);
    call.transmit(this.process, server.process, async () => {
      const reply = await answer(server.listening, path, bytes, peer);
      call.transmit(server.process, this.process, () => call.finish(reply));
    });
    if (!network.random.chance(network.settings.callAgain)) return;
    const delayMs = network.latencyMs() + network.random.number() * network.settings.callAgainMs;
    network.scheduler.after(
      delayMs,
      () => {
        if (network.isCut(this.process, server.process)) return;
        network.count("call handled twice");
        if (path.endsWith("/Propose")) network.count("call handled twice: Propose");
        void answer(server.listening, path, bytes, peer);
      },
      server.process,
      "call again",
    );
  }

  #closeServerStreams(): void {
    for (const link of [...this.network.links]) {
      if (link instanceof SimStream && link.server.process === this.process) {
        link.reset(new UnreachableError("server stopped"));
      }
    }
  }
}

async function answer(
  listening: Listening,
  path: string,
  bytes: Uint8Array,
  peer: Address,
): Promise<Uint8Array | KvError> {
  const handler = listening.calls.get(path);
  if (handler === undefined) return new KvError("internal", `method ${path} is not served here`);
  try {
    return await handler(bytes, peer);
  } catch (error) {
    return asKvError(error);
  }
}

/** As the error arrives at the other side: code, message and fields; not the cause. */
function asKvError(error: unknown): KvError {
  if (error instanceof UnreachableError) return new UnreachableError(error.message);
  if (error instanceof KvError) return new KvError(error.code, error.message, { ...error.fields });
  return new KvError("internal", messageOf(error));
}

function peerOf(process: SimProcess): Address {
  return `${process.name}:1`;
}

function splitAddress(address: Address): [string, string] {
  const colon = address.lastIndexOf(":");
  return [address.slice(0, colon), address.slice(colon + 1)];
}
