import { Buffer } from "node:buffer";
import zookeeper, { type Client, type Stat as ZooKeeperStat } from "node-zookeeper-client";
import type { Cancel, Clock, Log, Random } from "../platform/ports.ts";
import { messageOf } from "../platform/errors.ts";
import {
  type Coordinator,
  CoordinatorError,
  type CreateMode,
  type NodeData,
  type Operation,
  type Stat,
} from "./coordinator.ts";
import { SessionBase } from "./session_base.ts";
import type { OperationResult } from "./tree.ts";
import { Watches } from "./watches.ts";
import { Connection, type Credentials } from "./zookeeper_connection.ts";

/** Between two rounds over the servers while none answers. Half of it is jitter. */
const PAUSE_MS = 200;

export interface ZooKeeperOptions {
  /** host:port of each server; three, so that one may fail. */
  readonly servers: readonly string[];
  /** How long a client may be silent before its ephemeral nodes go; the servers may grant another time. */
  readonly sessionTimeoutMs: number;
  /** A server that does not answer a call for so long is left for another. */
  readonly callTimeoutMs: number;
  /** The same for connecting to one server. */
  readonly connectTimeoutMs: number;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
}

/** The coordinator over an ensemble of ZooKeeper servers, without authentication. */
export function zookeeperCoordinator(options: ZooKeeperOptions): Coordinator {
  return { open: () => ZooKeeperSession.open(options) };
}

/**
 * A session that outlives its connections: when one ends, it is taken up at the next server, with its id and password,
 * until a server says that it has expired. Meanwhile it is suspended. Idle sessions are kept alive by reads of our own:
 * the library's pings do not notice a server that has stopped.
 */
class ZooKeeperSession extends SessionBase {
  override readonly id: string;
  readonly #watches = new Watches();
  /** One function per path and kind, so that the library, too, holds one watch for it. */
  readonly #nodeWatchers = new Map<string, () => void>();
  readonly #childrenWatchers = new Map<string, () => void>();
  readonly #credentials: Credentials;
  readonly #stopHeartbeat: Cancel;
  /** Undefined while suspended and after the end. */
  #connection: Connection | undefined;
  #reconnecting: Promise<void> | undefined;
  #closing: Promise<void> | undefined;

  private constructor(private readonly options: ZooKeeperOptions, connection: Connection) {
    super(options.log);
    this.#credentials = connection.credentials;
    this.id = hex(this.#credentials.id);
    const beatMs = Math.floor(connection.sessionTimeoutMs / 3);
    this.#stopHeartbeat = options.clock.every(beatMs, () => this.#beat(beatMs));
    this.#use(connection);
  }

  static async open(options: ZooKeeperOptions): Promise<ZooKeeperSession> {
    let last: unknown;
    for (const server of shuffled(options.servers, options.random)) {
      try {
        const connection = await Connection.open({ ...options, server }, options.connectTimeoutMs);
        return new ZooKeeperSession(options, connection);
      } catch (error) {
        last = error;
      }
    }
    const message = `none of the ZooKeeper servers ${options.servers.join(", ")} answers (${
      messageOf(last)
    })`;
    throw new CoordinatorError("connection-loss", "/", message, { cause: last });
  }

  override close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  protected override async carryOut(operation: Operation): Promise<OperationResult> {
    const { path } = operation;
    switch (operation.kind) {
      case "create": {
        const { data, mode } = operation;
        const made = await this.#call<string>(
          path,
          (client, done) => client.create(path, Buffer.from(data), MODES[mode], done),
        );
        return { path: made, stat: undefined };
      }
      case "set": {
        const { data, version } = operation;
        const stat = await this.#call<ZooKeeperStat>(
          path,
          (client, done) => client.setData(path, Buffer.from(data), version, done),
        );
        return { path, stat: statOf(stat) };
      }
      case "remove":
        await this.#call<void>(
          path,
          (client, done) => client.remove(path, operation.version ?? -1, (error) => done(error)),
        );
        return { path, stat: undefined };
      case "check":
        await this.carryOutAll([operation]);
        return { path, stat: undefined };
    }
  }

  protected override async carryOutAll(operations: readonly Operation[]): Promise<void> {
    await this.#call<unknown>(operations[0]?.path ?? "/", (client, done) => {
      const transaction = client.transaction();
      for (const operation of operations) {
        const { path } = operation;
        // The library takes version 0 for "any": checkTransaction has refused it.
        if (operation.kind === "check") transaction.check(path, operation.version);
        if (operation.kind === "create") {
          transaction.create(path, Buffer.from(operation.data), MODES[operation.mode]);
        }
        if (operation.kind === "set") {
          transaction.setData(path, Buffer.from(operation.data), operation.version);
        }
        if (operation.kind === "remove") transaction.remove(path, operation.version);
      }
      transaction.commit(done);
    });
  }

  protected override async read(path: string, changed?: () => void): Promise<NodeData | undefined> {
    const watcher = changed && this.#nodeWatcher(path, changed);
    for (;;) {
      try {
        return await this.#call<NodeData>(path, (client, done) => {
          client.getData(path, watcher, (error, data, stat) => {
            if (error) done(error, NOTHING);
            else done(null, { data: data?.toString() ?? "", stat: statOf(stat) });
          });
        });
      } catch (error) {
        if (!(error instanceof CoordinatorError && error.fault === "no-node")) throw error;
      }
      if (watcher === undefined) return undefined;
      // Only this leaves a watch where nothing is; the node may have come in between.
      const stat = await this.#call<ZooKeeperStat | null>(
        path,
        (client, done) => client.exists(path, watcher, done),
      );
      if (stat === null) return undefined;
    }
  }

  protected override async list(path: string, changed?: () => void): Promise<string[]> {
    const watcher = changed && this.#childrenWatcher(path, changed);
    const names = await this.#call<string[]>(path, (client, done) => client.getChildren(path, watcher, done));
    return names.sort();
  }

  #call<T>(path: string, start: Parameters<typeof Connection.prototype.call<T>>[2]): Promise<T> {
    const connection = this.#connection;
    if (connection === undefined) {
      return Promise.reject(new CoordinatorError("connection-loss", path, "no connection at the moment"));
    }
    return connection.call(path, this.options.callTimeoutMs, start);
  }

  #beat(limitMs: number): void {
    const exists = (client: Client, done: Parameters<Client["exists"]>[2]) => client.exists("/", done);
    // A failure ends the connection, which is all that there is to do.
    this.#connection?.call("/", Math.min(limitMs, this.options.callTimeoutMs), exists).catch(() => {});
  }

  #use(connection: Connection): void {
    this.#connection = connection;
    this.become("connected");
    // Their watchers were at the old connection; what happened meanwhile is unknown.
    this.#nodeWatchers.clear();
    this.#childrenWatchers.clear();
    for (const callback of this.#watches.takeAll()) this.callLater(callback);
    connection.onEnd((expired) => {
      this.#connection = undefined;
      if (this.#closing) return;
      if (expired) return this.#expire();
      this.become("suspended");
      this.#reconnecting = this.#reconnect();
    });
  }

  async #reconnect(): Promise<void> {
    const { options } = this;
    while (!this.#closing) {
      for (const server of shuffled(options.servers, options.random)) {
        try {
          const session = this.#credentials;
          const connection = await Connection.open({ ...options, server, session }, options.connectTimeoutMs);
          return this.#closing ? await connection.closeSession(options.callTimeoutMs) : this.#use(connection);
        } catch (error) {
          if (error instanceof CoordinatorError && error.fault === "session-expired") return this.#expire();
          if (this.#closing) return;
        }
      }
      await options.clock.sleep(PAUSE_MS / 2 + options.random.below(PAUSE_MS / 2));
    }
  }

  #expire(): void {
    this.#stopHeartbeat();
    this.become("expired");
  }

  async #close(): Promise<void> {
    this.#stopHeartbeat();
    const connection = this.#connection;
    this.become("closed");
    await connection?.closeSession(this.options.callTimeoutMs);
    connection?.drop();
    await this.#reconnecting;
  }

  #nodeWatcher(path: string, changed: () => void): () => void {
    this.#watches.addNode(path, changed);
    return watcherOf(this.#nodeWatchers, path, () => {
      for (const callback of this.#watches.takeNode(path)) this.callLater(callback);
    });
  }

  #childrenWatcher(path: string, changed: () => void): () => void {
    this.#watches.addChildren(path, changed);
    return watcherOf(this.#childrenWatchers, path, () => {
      for (const callback of this.#watches.takeChildren(path)) this.callLater(callback);
    });
  }
}

const MODES: Readonly<Record<CreateMode, number>> = {
  "persistent": zookeeper.CreateMode.PERSISTENT,
  "ephemeral": zookeeper.CreateMode.EPHEMERAL,
  "ephemeral-sequential": zookeeper.CreateMode.EPHEMERAL_SEQUENTIAL,
};

/** Stands for a result beside an error. */
const NOTHING: NodeData = { data: "", stat: { version: -1, ephemeralOwner: "0" } };

function watcherOf(watchers: Map<string, () => void>, path: string, fire: () => void): () => void {
  const known = watchers.get(path);
  if (known) return known;
  const watcher = () => {
    // A late call from an old connection must not take what belongs to the present one.
    if (watchers.get(path) !== watcher) return;
    watchers.delete(path);
    fire();
  };
  watchers.set(path, watcher);
  return watcher;
}

function statOf(stat: ZooKeeperStat): Stat {
  return { version: stat.version, ephemeralOwner: hex(stat.ephemeralOwner) };
}

/** As ZooKeeper's own tools print it: no leading zeros. */
function hex(eightBytes: Buffer): string {
  return eightBytes.readBigUInt64BE().toString(16);
}

function shuffled<T>(items: readonly T[], random: Random): T[] {
  const all = [...items];
  for (let i = all.length - 1; i > 0; i--) {
    const j = random.below(i + 1);
    [all[i], all[j]] = [all[j]!, all[i]!];
  }
  return all;
}
