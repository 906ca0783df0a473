import type { Cancel, Log } from "../platform/ports.ts";
import { messageOf } from "../platform/errors.ts";
import {
  CoordinatorError,
  type CreateMode,
  type NodeData,
  type Operation,
  type Session,
  type SessionState,
  type Stat,
} from "./coordinator.ts";
import type { OperationResult } from "./tree.ts";
import { checkOperation, checkPath, checkTransaction } from "./validate.ts";

/** What all sessions have in common: the state and its listeners, the checks of arguments, the calls made of others. */
export abstract class SessionBase implements Session {
  abstract readonly id: string;
  #state: SessionState = "connected";
  readonly #listeners = new Set<(state: SessionState) => void>();

  constructor(protected readonly log: Log) {}

  /** Carries out one checked step. */
  protected abstract carryOut(operation: Operation): Promise<OperationResult>;
  /** Carries out checked steps, all or none. */
  protected abstract carryOutAll(operations: readonly Operation[]): Promise<void>;
  protected abstract read(path: string, changed?: () => void): Promise<NodeData | undefined>;
  protected abstract list(path: string, changed?: () => void): Promise<string[]>;
  abstract close(): Promise<void>;

  get state(): SessionState {
    return this.#state;
  }

  onState(listener: (state: SessionState) => void): Cancel {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  async ensurePath(path: string): Promise<void> {
    this.#expectUsable(path);
    checkPath(path);
    if (await this.read(path)) return;
    let made = "";
    for (const part of path.split("/").slice(1)) {
      made += `/${part}`;
      await this.carryOut({ kind: "create", path: made, data: "", mode: "persistent" }).catch((error) => {
        if (!(error instanceof CoordinatorError && error.fault === "node-exists")) throw error;
      });
    }
  }

  async create(path: string, data: string, mode: CreateMode): Promise<string> {
    return (await this.#one({ kind: "create", path, data, mode })).path;
  }

  async set(path: string, data: string, version: number): Promise<Stat> {
    return (await this.#one({ kind: "set", path, data, version })).stat!;
  }

  async remove(path: string, version?: number): Promise<void> {
    await this.#one({ kind: "remove", path, ...(version === undefined ? {} : { version }) });
  }

  async transaction(operations: readonly Operation[]): Promise<void> {
    this.#expectUsable(operations[0]?.path ?? "/");
    checkTransaction(operations);
    await this.carryOutAll(operations);
  }

  async get(path: string, changed?: () => void): Promise<NodeData | undefined> {
    this.#expectUsable(path);
    checkPath(path);
    return await this.read(path, changed);
  }

  async children(path: string, changed?: () => void): Promise<string[]> {
    this.#expectUsable(path);
    checkPath(path);
    return await this.list(path, changed);
  }

  /** `expired` and `closed` are final. Listeners are called later, so that none runs in the middle of a call. */
  protected become(state: SessionState): void {
    if (this.#state === state || this.#state === "expired" || this.#state === "closed") return;
    this.#state = state;
    for (const listener of this.#listeners) this.callLater(() => listener(state));
  }

  /** Calls a user's function outside of everything; what it throws is its own fault. */
  protected callLater(callback: () => void): void {
    queueMicrotask(() => {
      try {
        callback();
      } catch (error) {
        this.log("error", "a listener of the coordinator failed", { error: messageOf(error) });
      }
    });
  }

  async #one(operation: Operation): Promise<OperationResult> {
    this.#expectUsable(operation.path);
    checkOperation(operation);
    return await this.carryOut(operation);
  }

  #expectUsable(path: string): void {
    if (this.#state === "suspended") {
      throw new CoordinatorError("connection-loss", path, "no connection to the coordinator at the moment");
    }
    if (this.#state !== "connected") {
      throw new CoordinatorError("session-expired", path, `the session is ${this.#state}; open a new one`);
    }
  }
}
