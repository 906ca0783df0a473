/**
 * The ports: everything that logic may know of the world outside the process.
 *
 * Logic takes a {@link World} (or a part of it) and never calls `Date.now`, `setTimeout`, `Math.random`, `Deno.*`
 * or a library that does. The real implementations stand in this folder and in `core/rpc`, the simulated ones,
 * driven by one seed, in `tests/sim/world`.
 */

/** Ends what it was given for; calling it twice does nothing. */
export type Cancel = () => void;

/** Time and timers. */
export interface Clock {
  /** Milliseconds since some fixed moment; never goes back. The only clock that decisions may use. */
  monotonicMs(): number;
  /** Milliseconds since 1970; may jump. For identifiers and for people, never for safety. */
  wallMs(): number;
  /** Calls `fire` once, no earlier than `delayMs` from now. */
  after(delayMs: number, fire: () => void): Cancel;
  /** Calls `fire` every `periodMs` until cancelled. */
  every(periodMs: number, fire: () => void): Cancel;
  /** Resolves after `delayMs`. */
  sleep(delayMs: number): Promise<void>;
  /** Resolves at once, but after what was sent in this turn of the event loop has left the process. */
  nextTurn(): Promise<void>;
}

/** Randomness. */
export interface Random {
  /** Uniform in [0, 1). */
  number(): number;
  /** Uniform integer in [0, bound). */
  below(bound: number): number;
  bytes(length: number): Uint8Array;
  /** A random identifier (UUID version 4). */
  uuid(): string;
}

/** What a {@link Disk} call failed of. */
export type DiskFault = "full" | "io" | "not-found" | "exists" | "locked";

/** Thrown by every {@link Disk} and {@link DiskFile} call. After `io` from a sync the file's state is unknown. */
export class DiskError extends Error {
  override name = "DiskError";
  constructor(readonly fault: DiskFault, readonly path: string, message: string, options?: ErrorOptions) {
    super(`${message}: ${path}`, options);
  }
}

/** An open file. Reads and writes are positional and complete (never short, except at the end of the file). */
export interface DiskFile {
  readonly path: string;
  sizeBytes(): number;
  /** Reads up to `into.length` bytes at `offset`; returns how many (fewer only at the end of the file). */
  read(into: Uint8Array, offset: number): number;
  /** Writes all of `bytes` at `offset` into the page cache; on `full` a part may have been written. */
  write(bytes: Uint8Array, offset: number): void;
  truncate(sizeBytes: number): void;
  /** fdatasync, off the event loop: resolves when all that was written before the call is on stable storage. */
  sync(): Promise<void>;
  /** fdatasync, blocking: the faster one when little waits. */
  syncNow(): void;
  close(): void;
}

/** A file system. Paths are absolute or relative to the process, separated by "/". */
export interface Disk {
  /** Opens for reading and writing. `create`: "never" fails with not-found, "new" fails with exists. */
  open(path: string, create: "never" | "new" | "if-missing"): DiskFile;
  /** Names in the folder, sorted; not-found when there is no such folder. */
  list(path: string): string[];
  exists(path: string): boolean;
  /** Creates the folder and its parents; nothing when it exists. Not durable before {@link syncFolder} of the parent. */
  makeFolder(path: string): void;
  rename(from: string, to: string): void;
  remove(path: string): void;
  /** Makes creations, renames and removals in this folder durable. */
  syncFolder(path: string): void;
  /** Takes the folder's exclusive lock (flock on `path`), or fails with `locked` at once. */
  lock(path: string): Cancel;
  /** Bytes free on the file system that holds `path`; Infinity when it cannot be told. */
  freeBytes(path: string): number;
}

/** `host:port`; port 0 asks for a free one when listening. */
export type Address = string;

/** One remote method: a path, and how its messages become bytes. Made from the generated code. */
export interface Method<Q, A> {
  /** `/kv.v1.Service/Method` */
  readonly path: string;
  /** Whether many requests, or many replies, may come; two times false is a unary method. */
  readonly requestStream: boolean;
  readonly responseStream: boolean;
  readonly encodeRequest: (message: Q) => Uint8Array;
  /** Throws on bytes that are no such message. Byte fields are views into `bytes`: copy what is kept for longer. */
  readonly decodeRequest: (bytes: Uint8Array) => Q;
  readonly encodeReply: (message: A) => Uint8Array;
  readonly decodeReply: (bytes: Uint8Array) => A;
}

/** The sending half of a stream, at either end. */
export interface Outgoing<M> {
  /** Queues the message. False: more than the transport wants to hold is waiting; send no more before `drained`. */
  send(message: M): boolean;
  /** Ends this half; what was sent before still arrives. */
  end(): void;
  /** Breaks the stream off in both directions. */
  cancel(error?: Error): void;
}

/** The sending half at the end that answers, which may also hold the other side up. */
export interface Replies<M> extends Outgoing<M> {
  /** Takes no more messages until `resume`: those that come wait at the other side, but for a few. */
  pause(): void;
  resume(): void;
}

/** The receiving half of a stream, at either end. Exactly one `closed` comes, as the last call. */
export interface Incoming<M> {
  message(message: M): void;
  /** May send again after `send` returned false. */
  drained?(): void;
  /** The other side ended its half in an orderly way (server side only). */
  ended?(): void;
  closed(error: Error | undefined): void;
}

export type UnaryHandler<Q, A> = (request: Q, peer: Address) => Promise<A> | A;
export type StreamHandler<Q, A> = (replies: Replies<A>, peer: Address) => Incoming<Q>;

/** What a server answers to: bind each method once, before listening. */
export interface Services {
  unary<Q, A>(method: Method<Q, A>, handler: UnaryHandler<Q, A>): void;
  /** Streams in either or both directions; one that only answers gets its request as the first message. */
  stream<Q, A>(method: Method<Q, A>, handler: StreamHandler<Q, A>): void;
}

export interface Listener {
  /** With the port that was really taken. */
  readonly address: Address;
  close(): Promise<void>;
}

/**
 * Messages between processes. They may be lost, late or doubled by retries of the caller, never corrupted. Errors
 * that a handler throws arrive at the caller as the same class of `KvError`; a broken connection or passed time limit
 * arrives as `UnreachableError`, and then it is unknown whether the request was handled.
 */
export interface Transport {
  call<Q, A>(to: Address, method: Method<Q, A>, request: Q, timeoutMs: number): Promise<A>;
  stream<Q, A>(to: Address, method: Method<Q, A>, replies: Incoming<A>): Outgoing<Q>;
  /** Rejects when the address is taken. */
  listen(address: Address, bind: (services: Services) => void): Promise<Listener>;
  /** Lets go of all connections made by `call` and `stream`. */
  close(): void;
}

export type LogLevel = "debug" | "info" | "warn" | "error";

/** One line for people on standard error; `fields` are appended as `name=value`. */
export type Log = (level: LogLevel, message: string, fields?: Record<string, unknown>) => void;

/** What a process gets at its start. */
export interface World {
  readonly clock: Clock;
  readonly random: Random;
  readonly disk: Disk;
  readonly transport: Transport;
  readonly log: Log;
}
