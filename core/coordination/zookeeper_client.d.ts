// The parts of node-zookeeper-client 1.1 that are used; the package has no types of its own.

declare module "node-zookeeper-client" {
  import type { Buffer } from "node:buffer";
  import type { EventEmitter } from "node:events";
  import type { Socket } from "node:net";

  export interface Stat {
    readonly version: number;
    /** Eight bytes. */
    readonly ephemeralOwner: Buffer;
  }

  /** What callbacks get as an error. */
  export interface Exception extends Error {
    getCode(): number;
  }

  type Done<T extends unknown[]> = (error: Exception | null | undefined, ...result: T) => void;

  export interface Transaction {
    check(path: string, version?: number): this;
    create(path: string, data: Buffer, mode: number): this;
    setData(path: string, data: Buffer, version: number): this;
    remove(path: string, version?: number): this;
    commit(done: Done<[results: unknown]>): void;
  }

  /** Not part of the package's documented face: what one needs to let go of a client without closing its session. */
  export interface ConnectionManager extends EventEmitter {
    connect(): void;
    /** Given everything that comes from the server. */
    onSocketData(bytes: Buffer): void;
    readonly socket: Socket | undefined;
    readonly connectTimeoutHandler: ReturnType<typeof setTimeout> | null;
  }

  export interface Client {
    readonly connectionManager: ConnectionManager;
    connect(): void;
    close(): void;
    getSessionId(): Buffer;
    getSessionPassword(): Buffer;
    /** Milliseconds, as the server granted them. */
    getSessionTimeout(): number;
    create(path: string, data: Buffer, mode: number, done: Done<[path: string]>): void;
    remove(path: string, version: number, done: Done<[]>): void;
    setData(path: string, data: Buffer, version: number, done: Done<[stat: Stat]>): void;
    exists(path: string, done: Done<[stat: Stat | null]>): void;
    exists(path: string, watcher: () => void, done: Done<[stat: Stat | null]>): void;
    getData(
      path: string,
      watcher: (() => void) | undefined,
      done: Done<[data: Buffer | undefined, stat: Stat]>,
    ): void;
    getChildren(path: string, watcher: (() => void) | undefined, done: Done<[names: string[]]>): void;
    transaction(): Transaction;
  }

  export interface ClientOptions {
    readonly sessionTimeout: number;
    readonly retries: number;
    readonly sessionId?: Buffer;
    readonly sessionPassword?: Buffer;
  }

  const zookeeper: {
    createClient(servers: string, options: ClientOptions): Client;
    readonly CreateMode: {
      readonly PERSISTENT: number;
      readonly EPHEMERAL: number;
      readonly EPHEMERAL_SEQUENTIAL: number;
    };
    readonly Exception: Readonly<Record<string, number>>;
  };
  export default zookeeper;
}
