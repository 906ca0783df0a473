import type { Cancel } from "../platform/ports.ts";

/**
 * The coordinator port: a small tree of versioned nodes with ephemerals, sequences, transactions and one-shot
 * watches, with the meaning that Apache ZooKeeper gives to them. Three implementations: `zookeeper.ts` (the real one),
 * `embedded.ts` (one process, saved to a file) and the simulated one; one contract test runs against all.
 */
export interface Coordinator {
  /**
   * Opens a new session. Resolves once connected; rejects with {@link CoordinatorError} `connection-loss` when no
   * server answers within the time limit of the configuration.
   */
  open(): Promise<Session>;
}

export interface Stat {
  /** Number of changes of the data since creation; starts at 0. */
  readonly version: number;
  /** Session that owns this ephemeral node, as a hexadecimal string; "0" for persistent nodes. */
  readonly ephemeralOwner: string;
}

export interface NodeData {
  readonly data: string;
  readonly stat: Stat;
}

export type CreateMode = "persistent" | "ephemeral" | "ephemeral-sequential";

/**
 * One step of a transaction. A `version` of -1 would match any; it is not allowed here: name what was read. Nor is 0
 * inside a transaction, which ZooKeeper's client library takes for -1: write a node once more after creating it.
 */
export type Operation =
  | { readonly kind: "check"; readonly path: string; readonly version?: number }
  | { readonly kind: "create"; readonly path: string; readonly data: string; readonly mode: CreateMode }
  | { readonly kind: "set"; readonly path: string; readonly data: string; readonly version: number }
  | { readonly kind: "remove"; readonly path: string; readonly version?: number };

/**
 * `connected` -> `suspended` (connection lost, the session may live on at the servers) -> `connected` again, or
 * `expired`: the servers have ended the session, its ephemeral nodes are gone and the object is dead. `closed` is our
 * own doing.
 */
export type SessionState = "connected" | "suspended" | "expired" | "closed";

/**
 * A session. Every call rejects with {@link CoordinatorError}; with `connection-loss` (also: time limit passed, session
 * suspended) it is unknown whether the operation was carried out. Parents of created nodes are not created by
 * themselves, except through {@link Session.ensurePath}.
 */
export interface Session {
  /** Hexadecimal; compare with {@link Stat.ephemeralOwner}. */
  readonly id: string;
  readonly state: SessionState;
  /** Called at each change of state; returns how to stop that. */
  onState(listener: (state: SessionState) => void): Cancel;

  /** Creates persistent nodes down to `path`, as far as they are missing. */
  ensurePath(path: string): Promise<void>;
  /** Returns the path made, which for sequential nodes ends in ten digits. */
  create(path: string, data: string, mode: CreateMode): Promise<string>;
  /**
   * Undefined when there is no such node. `changed` is called at most once, when data or existence changes, or when
   * that may have been missed: a hint. The same function given again is one watch: pass the same one at each look.
   */
  get(path: string, changed?: () => void): Promise<NodeData | undefined>;
  /** Names of the children, sorted, or `no-node`; `changed` as in {@link get}, when a child comes or goes. */
  children(path: string, changed?: () => void): Promise<string[]>;
  /** `version` must be one that was read; rejects with `bad-version` when the node has another. */
  set(path: string, data: string, version: number): Promise<Stat>;
  remove(path: string, version?: number): Promise<void>;
  /** All or nothing. Rejects with the code of the first step that failed. */
  transaction(operations: readonly Operation[]): Promise<void>;
  /** Ends the session; its ephemeral nodes are removed, at once where the servers can be reached. Never rejects. */
  close(): Promise<void>;
}

export type CoordinatorFault =
  | "no-node"
  | "node-exists"
  | "not-empty"
  | "bad-version"
  | "connection-loss"
  | "session-expired"
  | "too-large"
  | "bad-arguments";

/** Why a call failed; `path` is the node it was about. */
export class CoordinatorError extends Error {
  override name = "CoordinatorError";
  constructor(
    readonly fault: CoordinatorFault,
    readonly path: string,
    message?: string,
    options?: ErrorOptions,
  ) {
    super(`${message ?? fault}: ${path}`, options);
  }
}
