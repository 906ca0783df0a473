import {
  type Coordinator,
  CoordinatorError,
  type NodeData,
  type Operation,
  type Session,
} from "../../../core/coordination/coordinator.ts";
import { SessionBase } from "../../../core/coordination/session_base.ts";
import type { OperationResult } from "../../../core/coordination/tree.ts";
import { parentOf } from "../../../core/coordination/validate.ts";
import { type Change, Watches } from "../../../core/coordination/watches.ts";
import type { Log } from "../../../core/platform/ports.ts";
import { expiredError, type Replica, type ServerSession, type SimEnsemble } from "./ensemble.ts";
import type { SimProcess } from "./scheduler.ts";

/** The pause between two attempts to connect again is up to this long. */
const RECONNECT_MS_MAX = 200;

/** The coordinator as one process sees it: over a network, by sessions that the ensemble may end. */
export class SimCoordinator implements Coordinator {
  constructor(readonly ensemble: SimEnsemble, readonly process: SimProcess, readonly log: Log) {}

  open(): Promise<Session> {
    const { ensemble, process } = this;
    const { scheduler, settings } = ensemble;
    const server = ensemble.anyServer();
    return new Promise((resolve, reject) => {
      const giveUp = scheduler.after(
        settings.callTimeoutMs,
        () => {
          reject(new CoordinatorError("connection-loss", "/", "no server of the coordinator answers"));
        },
        process,
        "zk open limit",
      );
      scheduler.after(
        ensemble.latencyMs(),
        () => {
          if (!ensemble.reachable(process.name, server) || server.isolated) return;
          const session = new SimSession(this, server);
          scheduler.after(
            ensemble.latencyMs(),
            () => {
              giveUp();
              session.begin();
              resolve(session);
            },
            process,
            "zk open",
          );
        },
        undefined,
        "zk open",
      );
    });
  }
}

/** One call on its way. */
interface Pending {
  reject(error: CoordinatorError): void;
}

class SimSession extends SessionBase {
  override readonly id: string;
  readonly #ensemble: SimEnsemble;
  readonly #process: SimProcess;
  readonly #server: ServerSession;
  readonly #watches = new Watches();
  readonly #pending = new Set<Pending>();
  /** Of the connection in use; the server drops what comes by an earlier one. */
  #connection = 1;
  /** Messages of one connection keep their order: none arrives before this. */
  #lastArrivalMs = 0;
  #lastReplyMs = 0;

  constructor({ ensemble, process, log }: SimCoordinator, server: Replica) {
    super(log);
    this.#ensemble = ensemble;
    this.#process = process;
    this.#server = ensemble.openSession({
      client: process.name,
      changed: (changes) => this.#changed(changes),
      kicked: () => this.#arrive(() => this.#disconnected("closed by the server")),
    }, server);
    this.id = this.#server.id;
  }

  /** From now on the client keeps the session alive. */
  begin(): void {
    const beat = () => {
      if (this.state === "expired" || this.state === "closed") return;
      if (this.state === "connected") this.#call("/", "read", () => {}).catch(() => {});
      this.#after(this.#ensemble.settings.sessionTimeoutMs / 3, beat, "zk heartbeat");
    };
    beat();
  }

  override async close(): Promise<void> {
    if (this.state === "connected") {
      await this.#call("/", "write", () => this.#ensemble.endSession(this.#server)).catch(() => {});
    }
    this.become("closed");
    this.#rejectPending("the session was closed");
  }

  protected override async carryOut(operation: Operation): Promise<OperationResult> {
    return (await this.#call(
      operation.path,
      "write",
      () => this.#ensemble.commit(this.#server, [operation]),
    ))[0]!;
  }

  protected override async carryOutAll(operations: readonly Operation[]): Promise<void> {
    const path = operations[0]?.path ?? "/";
    await this.#call(path, "write", () => this.#ensemble.commit(this.#server, operations));
  }

  protected override read(path: string, changed?: () => void): Promise<NodeData | undefined> {
    return this.#call(path, "read", () => {
      if (changed) this.#watches.addNode(path, changed);
      return this.#server.replica.tree.read(path);
    });
  }

  protected override list(path: string, changed?: () => void): Promise<string[]> {
    return this.#call(path, "read", () => {
      const names = this.#server.replica.tree.children(path);
      if (names === undefined) throw new CoordinatorError("no-node", path);
      if (changed) this.#watches.addChildren(path, changed);
      return names;
    });
  }

  /** Sends a call, has it carried out by `handle` at the server, and brings the answer, unless something is lost. */
  #call<T>(path: string, kind: "read" | "write", handle: () => T): Promise<T> {
    const { settings, random } = this.#ensemble;
    const connection = this.#connection;
    return new Promise<T>((resolve, reject) => {
      const pending: Pending = { reject };
      this.#pending.add(pending);
      const stopLimit = this.#after(settings.callTimeoutMs, () => {
        if (this.#pending.has(pending)) this.#disconnected("time limit passed");
      }, "zk call limit");
      const answer = (deliver: () => void) =>
        this.#reply(() => {
          if (!this.#pending.delete(pending)) return;
          stopLimit();
          deliver();
        });
      if (random.chance(settings.lossBefore)) return this.#breakConnection("before");
      this.#request(this.#server.replica, () => {
        if (this.#server.connection !== connection) return;
        if (!this.#server.replica.isolated) {
          if (this.#server.ended) {
            if (kind === "write") this.#ensemble.count("coordinator write refused to an ended session");
            return answer(() => this.#expired(path, reject));
          }
          this.#server.lastHeardMs = this.#ensemble.scheduler.nowMs;
        } else if (kind === "write") {
          return this.#ensemble.count("coordinator write held by a follower cut off");
        } else this.#ensemble.count("coordinator answer of a follower cut off");
        let deliver: () => void;
        try {
          const result = handle();
          deliver = () => resolve(result);
        } catch (error) {
          deliver = () => reject(error);
        }
        if (random.chance(settings.lossAfter)) this.#breakConnection("after");
        else answer(deliver);
      });
    });
  }

  #breakConnection(when: "before" | "after"): void {
    this.#ensemble.count(`coordinator connection lost ${when} the call`);
    const connection = this.#connection;
    this.#after(this.#ensemble.latencyMs(), () => {
      if (this.#connection === connection) this.#disconnected("connection broken");
    }, "zk loss");
  }

  /** Everything under way is in doubt from now on; then tries until the servers answer. */
  #disconnected(why: string): void {
    if (this.state !== "connected") return;
    this.become("suspended");
    this.#connection = -1;
    this.#rejectPending(why);
    this.#reconnect();
  }

  #reconnect(): void {
    const { settings, random } = this.#ensemble;
    const server = this.#ensemble.anyServer();
    let done = false;
    this.#after(random.between(0, RECONNECT_MS_MAX), () => {
      this.#request(server, () => {
        if (server.isolated) return;
        if (this.#server.ended) return this.#arrive(() => (done = true) && this.become("expired"));
        const connection = this.#ensemble.reconnect(this.#server, server);
        this.#reply(() => {
          if (done || this.state !== "suspended") return;
          done = true;
          this.#connected(connection);
        });
      });
      this.#after(settings.callTimeoutMs, () => {
        if (done || this.state !== "suspended") return;
        done = true;
        this.#reconnect();
      }, "zk connect limit");
    }, "zk reconnect");
  }

  #connected(connection: number): void {
    this.#connection = connection;
    this.become("connected");
    for (const callback of this.#watches.takeAll()) this.callLater(callback);
  }

  #expired(path: string, reject: (error: CoordinatorError) => void): void {
    reject(expiredError(path));
    this.become("expired");
    for (const pending of this.#takePending()) pending.reject(expiredError(path));
  }

  #rejectPending(why: string): void {
    for (const pending of this.#takePending()) {
      pending.reject(new CoordinatorError("connection-loss", "/", why));
    }
  }

  #takePending(): Pending[] {
    const all = [...this.#pending];
    this.#pending.clear();
    return all;
  }

  #changed(changes: readonly Change[]): void {
    if (this.#connection !== this.#server.connection) return;
    for (const change of changes) {
      for (const callback of this.#watches.take(change, parentOf(change.path))) {
        const lateMs = this.#ensemble.random.between(0, this.#ensemble.settings.watchLateMsMax);
        this.#after(lateMs + this.#ensemble.latencyMs(), () => this.callLater(callback), "zk watch");
      }
    }
  }

  /** Runs `arrive` at the server, in the order of sending, if it can be reached then. */
  #request(server: Replica, arrive: () => void): void {
    const { scheduler } = this.#ensemble;
    this.#lastArrivalMs = Math.max(scheduler.nowMs + this.#ensemble.latencyMs(), this.#lastArrivalMs + 1e-3);
    scheduler.at(
      this.#lastArrivalMs,
      () => {
        if (this.#ensemble.reachable(this.#process.name, server)) arrive();
      },
      undefined,
      "zk request",
    );
  }

  /** Runs `arrive` at the client, in the order of sending, if it could be reached now. */
  #reply(arrive: () => void): void {
    if (this.#ensemble.reachable(this.#process.name, this.#server.replica)) this.#arrive(arrive);
  }

  #arrive(arrive: () => void): void {
    const { scheduler } = this.#ensemble;
    this.#lastReplyMs = Math.max(scheduler.nowMs + this.#ensemble.latencyMs(), this.#lastReplyMs + 1e-3);
    scheduler.at(this.#lastReplyMs, arrive, this.#process, "zk reply");
  }

  #after(delayMs: number, fire: () => void, label: string): () => void {
    return this.#ensemble.scheduler.after(delayMs, fire, this.#process, label);
  }
}
