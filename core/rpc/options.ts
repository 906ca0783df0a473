import type { ChannelOptions } from "@grpc/grpc-js";
import { KvError } from "../platform/errors.ts";
import type { Clock, Log } from "../platform/ports.ts";

export interface TransportOptions {
  readonly clock: Clock;
  readonly log: Log;
  /**
   * Largest message sent or received. Room for the largest value with its key, and for a batch that grew up to 1 MiB
   * and then got one more such value. Both ends must have the same.
   */
  readonly messageBytesMax?: number;
  /** A stream that the other side has not accepted by then is given up. */
  readonly openTimeoutMs?: number;
  /** How long a closing server waits for its running calls. */
  readonly drainTimeoutMs?: number;
}

export type Settings = Required<TransportOptions>;

/** The default of {@link TransportOptions.messageBytesMax}; also what gRPC programs of other languages take at most. */
export const MESSAGE_BYTES_MAX = 4 * 1024 * 1024;

/** The options with defaults for what is left out. */
export function settingsOf(options: TransportOptions): Settings {
  return { messageBytesMax: MESSAGE_BYTES_MAX, openTimeoutMs: 2000, drainTimeoutMs: 1000, ...options };
}

/**
 * How much may be under way unread, of a stream and of a connection. With HTTP/2's own 64 KiB large messages stand still
 * half of the time, and every other read of the socket is followed by the news that there is room again.
 */
export const WINDOW_BYTES = 1 << 20;

/** Options of servers and clients alike. A silent peer is noticed after 3 s. */
export function channelOptions(settings: Settings): ChannelOptions {
  return {
    "grpc.keepalive_time_ms": 2000,
    "grpc.keepalive_timeout_ms": 1000,
    "grpc.keepalive_permit_without_calls": 1,
    "grpc.max_send_message_length": settings.messageBytesMax,
    "grpc.max_receive_message_length": settings.messageBytesMax,
    "grpc-node.flow_control_window": WINDOW_BYTES,
    "grpc.enable_channelz": 0,
  };
}

/** Options of clients: back within half a second of the server's return, and no connection shared or retried unseen. */
export function clientOptions(settings: Settings): ChannelOptions {
  return {
    ...channelOptions(settings),
    "grpc.initial_reconnect_backoff_ms": 100,
    "grpc.max_reconnect_backoff_ms": 500,
    "grpc.use_local_subchannel_pool": 1,
    "grpc.enable_retries": 0,
    "grpc.enable_http_proxy": 0,
    "grpc.client_idle_timeout_ms": 60_000,
  };
}

/** As gRPC wants its messages: without a copy. */
export function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

/**
 * As decoders get them: a plain Uint8Array over the same memory, because `slice()` of a Buffer, and so of the fields
 * within, would be a view and no copy.
 */
export function asBytes(buffer: Buffer): Uint8Array {
  return new Uint8Array(buffer.buffer, buffer.byteOffset, buffer.byteLength);
}

/** Encodes and checks the size, so that a message too large fails alone and does not break its stream. */
export function encodeMessage<M>(
  encode: (message: M) => Uint8Array,
  message: M,
  path: string,
  messageBytesMax: number,
): Buffer {
  const bytes = encode(message);
  if (bytes.length > messageBytesMax) {
    const what = `message of ${bytes.length} bytes for ${path} is over the limit of ${messageBytesMax}`;
    throw new KvError("too-large", `${what}; send less at once`);
  }
  return asBuffer(bytes);
}
