import type { Operation } from "../../../core/coordination/coordinator.ts";
import { CoordinatorError } from "../../../core/coordination/coordinator.ts";
import { type OperationResult, Tree } from "../../../core/coordination/tree.ts";
import type { Change } from "../../../core/coordination/watches.ts";
import type { SeededRandom } from "./random.ts";
import type { Scheduler } from "./scheduler.ts";

/** How bad the coordinator and the way to it are at present; may be changed at any time. */
export interface CoordinatorSettings {
  /** Number of servers; clients are spread over them. Read at construction. */
  readonly servers: number;
  sessionTimeoutMs: number;
  /** A client's time limit for one call, and for connecting. */
  callTimeoutMs: number;
  /** Least time of a message; an exponential tail with the mean `latencyTailMs` is added. */
  latencyMsMin: number;
  latencyTailMs: number;
  /** A server shows a change up to this long after it was committed. */
  lagMsMax: number;
  /** A watch is called up to this long after its server saw the change. */
  watchLateMsMax: number;
  /** Probability that a call's connection breaks before, or after, the call is carried out. */
  lossBefore: number;
  lossAfter: number;
}

export const CALM_COORDINATOR: CoordinatorSettings = {
  servers: 3,
  sessionTimeoutMs: 3000,
  callTimeoutMs: 1000,
  latencyMsMin: 0.2,
  latencyTailMs: 0.5,
  lagMsMax: 5,
  watchLateMsMax: 5,
  lossBefore: 0,
  lossAfter: 0,
};

/** Data that was committed, as the leader saw it. */
export interface CommittedWrite {
  readonly path: string;
  readonly data: string;
  readonly version: number;
  /** Name of the process and id of the session that wrote it. */
  readonly client: string;
  readonly session: string;
}

/** A server: its own copy of the tree, that follows the log in its own time. */
export interface Replica {
  readonly index: number;
  readonly tree: Tree;
  /** Entries of the log that the tree shows. */
  applied: number;
  frozen: boolean;
  /** Cut off from the leader: goes on answering what it can by itself, reads and signs of life. */
  isolated: boolean;
  /** Has noticed that it is, and answers nobody. */
  down: boolean;
}

/** A session as the servers know it. */
export interface ServerSession {
  readonly id: string;
  readonly client: string;
  replica: Replica;
  /** Counts the connections; a request that comes by an earlier one is dropped. */
  connection: number;
  lastHeardMs: number;
  ended: boolean;
  /** The servers' end of the client's watches: what this session's server has just applied. */
  readonly changed: (changes: readonly Change[]) => void;
  /** The connection is closed by the server. */
  readonly kicked: () => void;
}

/** One committed step of all servers' trees; without operations it ends the session. */
interface LogEntry {
  readonly session: string;
  readonly operations: readonly Operation[] | undefined;
}

/**
 * The servers of the simulated coordinator. Changes are made in one order, by a leader's tree that is always right;
 * each server's tree follows it with a lag, and reads are answered from there. Clients are in `coordinator.ts`.
 */
export class SimEnsemble {
  readonly settings: CoordinatorSettings;
  /** How often each thing happened, by name. */
  readonly counts = new Map<string, number>();
  readonly #leader = new Tree();
  readonly #log: LogEntry[] = [];
  readonly #replicas: readonly Replica[];
  readonly #sessions = new Map<string, ServerSession>();
  readonly #listeners = new Set<(write: CommittedWrite) => void>();
  readonly #cuts = new Set<string>();
  #opened = 0;
  #outage = false;

  constructor(
    readonly scheduler: Scheduler,
    readonly random: SeededRandom,
    settings: Partial<CoordinatorSettings> = {},
  ) {
    this.settings = { ...CALM_COORDINATOR, ...settings };
    this.#replicas = Array.from(
      { length: this.settings.servers },
      (_, index) => ({ index, tree: new Tree(), applied: 0, frozen: false, isolated: false, down: false }),
    );
  }

  /** The tree as it really is, for checkers. */
  get truth(): Pick<Tree, "read" | "children"> {
    return this.#leader;
  }

  /** The sessions that live: id and name of the process. */
  get sessions(): readonly { readonly id: string; readonly client: string }[] {
    return [...this.#sessions.values()].map(({ id, client }) => ({ id, client }));
  }

  /** `listener` gets every committed creation and setting of data, when the whole transaction is done. */
  onCommit(listener: (write: CommittedWrite) => void): void {
    this.#listeners.add(listener);
  }

  count(what: string): void {
    this.counts.set(what, (this.counts.get(what) ?? 0) + 1);
  }

  /** No quorum: nobody is answered. No session ends meanwhile, and afterwards each has its whole time again. */
  outage(on: boolean): void {
    if (on && !this.#outage) this.count("coordinator outage");
    this.#outage = on;
    if (!on) { for (const session of this.#sessions.values()) session.lastHeardMs = this.scheduler.nowMs; }
  }

  /** Nothing goes between the servers and the processes of this name. */
  cut(client: string, on: boolean): void {
    if (on && !this.#cuts.has(client)) this.count("coordinator cut off");
    if (on) this.#cuts.add(client);
    else this.#cuts.delete(client);
  }

  /** Server number `index` stops following the log, or goes on. */
  freeze(index: number, on: boolean): void {
    const replica = this.#replicas[index % this.#replicas.length]!;
    if (on && !replica.frozen) this.count("coordinator server lags");
    replica.frozen = on;
    if (!on && !replica.isolated) this.#advance(replica, this.#log.length);
  }

  /**
   * Server number `index` cannot reach the leader: it shows its clients what it last knew and tells them that they live,
   * while the leader hears nothing of them. After a while it notices and lets them go.
   */
  isolate(index: number, on: boolean): void {
    const replica = this.#replicas[index % this.#replicas.length]!;
    if (on && !replica.isolated) this.count("coordinator follower cut off");
    replica.isolated = on;
    replica.down = false;
    if (!on) return replica.frozen ? undefined : this.#advance(replica, this.#log.length);
    const servedMs = this.random.between(0.3, 1.5) * this.settings.sessionTimeoutMs;
    this.scheduler.after(servedMs, () => this.#letGo(replica), undefined, "zk follower notices");
  }

  #letGo(replica: Replica): void {
    if (!replica.isolated || replica.down) return;
    replica.down = true;
    for (const session of this.#sessions.values()) if (session.replica === replica) session.kicked();
  }

  /** Ends the session as if its time had passed. */
  expire(id: string): void {
    const session = this.#sessions.get(id);
    if (session === undefined) return;
    this.count("coordinator session expired");
    this.endSession(session);
    if (session.replica.isolated) this.count("coordinator session expired behind a follower cut off");
    else session.kicked();
  }

  reachable(client: string, server: Replica): boolean {
    return !this.#outage && !server.down && !this.#cuts.has(client) &&
      !this.#cuts.has(`${client}>${server.index}`);
  }

  /** Nothing goes between this server and the processes of this name. */
  cutServer(client: string, index: number, on: boolean): void {
    const cut = `${client}>${index % this.#replicas.length}`;
    if (on && !this.#cuts.has(cut)) this.count("coordinator server out of reach");
    if (on) this.#cuts.add(cut);
    else this.#cuts.delete(cut);
  }

  /** The servers close the process's connections; its sessions live on. */
  kick(client: string): void {
    for (const session of this.#sessions.values()) if (session.client === client) session.kicked();
  }

  /** Number of the server that the session is connected to. */
  serverOf(session: string): number | undefined {
    return this.#sessions.get(session)?.replica.index;
  }

  /** The server that a client tries next. */
  anyServer(): Replica {
    return this.random.pick(this.#replicas);
  }

  latencyMs(): number {
    return this.settings.latencyMsMin + this.random.exponential(this.settings.latencyTailMs);
  }

  openSession(
    ends: Pick<ServerSession, "client" | "changed" | "kicked">,
    server = this.anyServer(),
  ): ServerSession {
    const session: ServerSession = {
      ...ends,
      id: (++this.#opened).toString(16),
      replica: server,
      connection: 1,
      lastHeardMs: this.scheduler.nowMs,
      ended: false,
    };
    this.#sessions.set(session.id, session);
    this.#expireInTime(session);
    return session;
  }

  /** A new connection of a session that lives, to a server that may lag behind what the last one showed. */
  reconnect(session: ServerSession, server: Replica): number {
    session.replica = server;
    session.lastHeardMs = this.scheduler.nowMs;
    return ++session.connection;
  }

  endSession(session: ServerSession): void {
    if (session.ended) return;
    session.ended = true;
    this.#sessions.delete(session.id);
    this.#leader.endSession(session.id);
    this.#append({ session: session.id, operations: undefined });
  }

  /** Commits, and shows the result at the session's own server, as ZooKeeper does before it answers. */
  commit(session: ServerSession, operations: readonly Operation[]): readonly OperationResult[] {
    try {
      const { results } = this.#leader.apply(session.id, operations);
      this.#append({ session: session.id, operations });
      this.#tellListeners(session, operations, results);
      return results;
    } catch (error) {
      if (operations.length > 1 && error instanceof CoordinatorError) {
        this.count(`coordinator transaction refused: ${error.fault}`);
      }
      throw error;
    } finally {
      this.#advance(session.replica, this.#log.length);
    }
  }

  #tellListeners(
    session: ServerSession,
    operations: readonly Operation[],
    results: readonly OperationResult[],
  ): void {
    operations.forEach((operation, i) => {
      const result = results[i]!;
      if (!("data" in operation) || result.stat === undefined) return;
      const { data } = operation;
      const { client, id } = session;
      const write = { path: result.path, data, version: result.stat.version, client, session: id };
      for (const listener of this.#listeners) listener(write);
    });
  }

  #append(entry: LogEntry): void {
    const upTo = this.#log.push(entry);
    for (const replica of this.#replicas) {
      const lagMs = this.random.between(0, this.settings.lagMsMax);
      this.scheduler.after(
        lagMs,
        () => replica.frozen || replica.isolated || this.#advance(replica, upTo),
        undefined,
        "zk apply",
      );
    }
  }

  #advance(replica: Replica, upTo: number): void {
    while (replica.applied < upTo) {
      const { session, operations } = this.#log[replica.applied++]!;
      const changes = operations === undefined
        ? replica.tree.endSession(session)
        : replica.tree.apply(session, operations).changes;
      for (const watcher of this.#sessions.values()) {
        if (watcher.replica === replica) watcher.changed(changes);
      }
    }
  }

  #expireInTime(session: ServerSession): void {
    const dueMs = (this.#outage ? this.scheduler.nowMs : session.lastHeardMs) +
      this.settings.sessionTimeoutMs;
    this.scheduler.at(
      dueMs,
      () => {
        if (session.ended) return;
        const silentMs = this.scheduler.nowMs - session.lastHeardMs;
        // A little short of the limit is the rounding of adding and subtracting.
        if (this.#outage || silentMs < this.settings.sessionTimeoutMs - 1e-3) this.#expireInTime(session);
        else this.expire(session.id);
      },
      undefined,
      "zk expiry",
    );
  }
}

/** What a session that has ended answers to everything. */
export function expiredError(path: string): CoordinatorError {
  return new CoordinatorError("session-expired", path);
}
