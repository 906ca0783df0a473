import type { Buffer } from "node:buffer";
import zookeeper, { type Client, type ConnectionManager, type Exception } from "node-zookeeper-client";
import { messageOf } from "../platform/errors.ts";
import type { Clock } from "../platform/ports.ts";
import { CoordinatorError, type CoordinatorFault } from "./coordinator.ts";

/** States of the library's connection manager. */
const CONNECTED = 2;
const DISCONNECTED = 0;
const SESSION_EXPIRED = -3;

const FAULTS: Readonly<Record<number, CoordinatorFault>> = {
  [zookeeper.Exception.NO_NODE!]: "no-node",
  [zookeeper.Exception.NODE_EXISTS!]: "node-exists",
  [zookeeper.Exception.NOT_EMPTY!]: "not-empty",
  [zookeeper.Exception.BAD_VERSION!]: "bad-version",
  [zookeeper.Exception.BAD_ARGUMENTS!]: "bad-arguments",
  [zookeeper.Exception.NO_CHILDREN_FOR_EPHEMERALS!]: "bad-arguments",
  [zookeeper.Exception.SESSION_EXPIRED!]: "session-expired",
};

/** What takes a session up again, at any server. */
export interface Credentials {
  readonly id: Buffer;
  readonly password: Buffer;
}

export interface ConnectionOptions {
  /** host:port */
  readonly server: string;
  readonly sessionTimeoutMs: number;
  /** Absent: a new session. */
  readonly session?: Credentials | undefined;
  readonly clock: Clock;
}

type Done<T> = (error: Exception | null | undefined, value: T) => void;

/**
 * One connection to one server: a client object of the library that is thrown away with it. The library by itself
 * would go on with a stream cut in the middle of a packet, send later what it could not send at once, and wait for ever
 * for a server that is silent; here everything under way ends with the connection, which ends at the first sign of
 * trouble. The session may then be taken up by another connection.
 */
export class Connection {
  readonly #client: Client;
  readonly #clock: Clock;
  /** What is under way, to be told when the connection ends. */
  readonly #pending = new Set<(error: CoordinatorError) => void>();
  #onEnd: (expired: boolean) => void = () => {};
  #ended = false;
  #expired = false;

  private constructor(private readonly options: ConnectionOptions) {
    const { session, sessionTimeoutMs, server } = options;
    this.#clock = options.clock;
    this.#client = zookeeper.createClient(server, {
      sessionTimeout: sessionTimeoutMs,
      retries: 0,
      ...(session ? { sessionId: session.id, sessionPassword: session.password } : {}),
    });
  }

  /** Rejects with `connection-loss`, or with `session-expired` when the session to take up has ended. */
  static async open(options: ConnectionOptions, limitMs: number): Promise<Connection> {
    const connection = new Connection(options);
    await connection.#connect(limitMs);
    return connection;
  }

  get credentials(): Credentials {
    return { id: this.#client.getSessionId(), password: this.#client.getSessionPassword() };
  }

  /** As the server granted it. */
  get sessionTimeoutMs(): number {
    return this.#client.getSessionTimeout();
  }

  /** Called once, when the connection has ended; at once if it has already. */
  onEnd(listener: (expired: boolean) => void): void {
    if (this.#ended) listener(this.#expired);
    else this.#onEnd = listener;
  }

  /** Makes one call of the library; a server that is silent for `limitMs` ends the connection. */
  call<T>(path: string, limitMs: number, start: (client: Client, done: Done<T>) => void): Promise<T> {
    return new Promise((resolve, reject) => {
      if (this.#ended) return reject(this.#loss(path, "the connection has ended"));
      const fail = (error: CoordinatorError) => {
        cancel();
        reject(error);
      };
      const cancel = this.#clock.after(limitMs, () => this.#end(`no answer within ${limitMs} ms`));
      this.#pending.add(fail);
      const done: Done<T> = (error, value) => {
        if (!this.#pending.delete(fail)) return;
        cancel();
        if (error) reject(this.#errorOf(path, error));
        else resolve(value);
      };
      try {
        start(this.#client, done);
      } catch (error) {
        this.#pending.delete(fail);
        fail(new CoordinatorError("bad-arguments", path, messageOf(error), { cause: error }));
      }
    });
  }

  /** Ends the session at the server, then the connection; never rejects. */
  async closeSession(limitMs: number): Promise<void> {
    if (this.#ended) return;
    // The library has no answer to wait for: the server closes the connection after it.
    await this.call("/", limitMs, (client) => client.close()).catch(() => {});
  }

  /** Lets go of the connection; the session lives on until its time has passed. */
  drop(): void {
    this.#end("the connection was dropped");
  }

  async #connect(limitMs: number): Promise<void> {
    const manager = this.#client.connectionManager;
    this.#guard(manager);
    const connected = this.call<void>("/", limitMs, (client, done) => {
      manager.on("state", (state: number) => {
        if (state === CONNECTED) done(null, undefined);
        if (state === SESSION_EXPIRED) this.#expired = true;
        if (state === SESSION_EXPIRED || state === DISCONNECTED) {
          this.#end("the server closed the connection");
        }
      });
      client.connect();
    });
    // The library connects again by itself, for ever: not this object.
    manager.connect = () => {};
    await connected;
  }

  /** What the library throws while it reads (an unknown error code, a garbled packet) would end the process. */
  #guard(manager: ConnectionManager): void {
    const receive = manager.onSocketData.bind(manager);
    manager.onSocketData = (bytes) => {
      try {
        receive(bytes);
      } catch (error) {
        this.#end(`the server's answer cannot be read: ${messageOf(error)}`);
      }
    };
  }

  #end(why: string): void {
    if (this.#ended) return;
    this.#ended = true;
    const { connectTimeoutHandler, socket } = this.#client.connectionManager;
    if (connectTimeoutHandler !== null) clearTimeout(connectTimeoutHandler);
    socket?.destroy();
    const pending = [...this.#pending];
    this.#pending.clear();
    for (const fail of pending) {
      fail(this.#expired ? new CoordinatorError("session-expired", "/") : this.#loss("/", why));
    }
    this.#onEnd(this.#expired);
  }

  #errorOf(path: string, error: Exception): CoordinatorError {
    const fault = FAULTS[error.getCode()];
    if (fault) return new CoordinatorError(fault, path, undefined, { cause: error });
    return this.#loss(path, error.message);
  }

  #loss(path: string, why: string): CoordinatorError {
    return new CoordinatorError("connection-loss", path, `${this.options.server}: ${why}`);
  }
}
