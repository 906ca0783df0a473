import "./http2_sessions.ts";
import { type CallOptions, Client, connectivityState, credentials, Metadata } from "@grpc/grpc-js";
import type { ClientDuplexStream, StatusObject } from "@grpc/grpc-js";
import { isIP } from "node:net";
import { splitAddress } from "../platform/address.ts";
import { type KvError, UnreachableError } from "../platform/errors.ts";
import type { Address } from "../platform/ports.ts";
import { errorFromStatus } from "./errors.ts";
import { clientOptions, type Settings } from "./options.ts";

export type ByteStream = ClientDuplexStream<Buffer, Buffer>;

/** What can be broken off when the channel is closed. */
interface Call {
  cancel(): void;
}

const same = (bytes: Buffer): Buffer => bytes;

/**
 * A connection to one address, made when it is first needed and again whenever it is lost, shared by all calls. Bytes
 * go in and out; deadlines are on every call.
 */
export class Channel {
  readonly #client: Client;
  readonly #calls = new Set<Call>();
  readonly #madeAtMs: number;
  #retired = false;

  constructor(readonly address: Address, readonly settings: Settings) {
    this.#madeAtMs = settings.clock.monotonicMs();
    this.#client = new Client(target(address), credentials.createInsecure(), clientOptions(settings));
  }

  /** Has tried in vain for so long that a new attempt may fare better. */
  get stuck(): boolean {
    const ageMs = this.settings.clock.monotonicMs() - this.#madeAtMs;
    const state = this.#client.getChannel().getConnectivityState(false);
    return state === connectivityState.CONNECTING && ageMs >= this.settings.openTimeoutMs;
  }

  unary(
    path: string,
    request: Buffer,
    timeoutMs: number,
    done: (error?: KvError, reply?: Buffer) => void,
  ): void {
    const options: CallOptions = { deadline: this.settings.clock.wallMs() + timeoutMs };
    const call = this.#client.makeUnaryRequest<Buffer, Buffer>(
      path,
      same,
      same,
      request,
      new Metadata(),
      options,
      (error, reply) => {
        this.#ended(call);
        if (error) done(errorFromStatus(error, `${path} from ${this.address}`));
        else done(undefined, reply);
      },
    );
    this.#calls.add(call);
  }

  /** On the wire, a method that takes one request is the stream of one request. */
  stream(path: string, closed: (status: StatusObject) => void): ByteStream {
    const call = this.#client.makeBidiStreamRequest<Buffer, Buffer>(path, same, same, new Metadata());
    this.#calls.add(call);
    call.on("status", (status: StatusObject) => {
      this.#ended(call);
      closed(status);
    });
    return call;
  }

  /** Lets the calls that run end by themselves, then closes. */
  retire(): void {
    this.#retired = true;
    if (this.#calls.size === 0) this.#client.close();
  }

  /** Breaks off the calls that run, and closes. */
  close(): void {
    for (const call of this.#calls) call.cancel();
    this.retire();
  }

  #ended(call: Call): void {
    this.#calls.delete(call);
    if (this.#retired && this.#calls.size === 0) this.#client.close();
  }
}

/** The channels of a process, one per address. */
export class Channels {
  readonly #channels = new Map<Address, Channel>();
  #closed = false;

  constructor(readonly settings: Settings) {}

  to(address: Address): Channel {
    if (this.#closed) throw new UnreachableError(`cannot reach ${address}: the transport has been closed`);
    let channel = this.#channels.get(address);
    if (channel === undefined) {
      channel = new Channel(address, this.settings);
      this.#channels.set(address, channel);
    }
    return channel;
  }

  /**
   * After a call that ran out of time. A connection attempt into a network that drops packets goes on for minutes, with
   * growing pauses, and cannot be called off; a new one finds the network that works again.
   */
  timedOut(channel: Channel): void {
    if (!channel.stuck || this.#channels.get(channel.address) !== channel) return;
    this.#channels.delete(channel.address);
    channel.retire();
  }

  close(): void {
    this.#closed = true;
    for (const channel of this.#channels.values()) channel.close();
    this.#channels.clear();
  }
}

function target(address: Address): string {
  const family = isIP(splitAddress(address).host);
  return family === 0 ? `dns:${address}` : `ipv${family}:${address}`;
}
