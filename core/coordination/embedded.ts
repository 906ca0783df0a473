// deno-lint-ignore-file require-await -- what the tree throws becomes a rejection, as in the other implementations
import { type Cancel, type Disk, DiskError, type Log } from "../platform/ports.ts";
import { messageOf } from "../platform/errors.ts";
import {
  type Coordinator,
  CoordinatorError,
  type NodeData,
  type Operation,
  type Session,
} from "./coordinator.ts";
import { type SavedTree, TreeFile } from "./saved_tree.ts";
import { SessionBase } from "./session_base.ts";
import { type OperationResult, Tree } from "./tree.ts";
import { parentOf } from "./validate.ts";
import { type Change, Watches } from "./watches.ts";

export interface EmbeddedOptions {
  readonly disk: Disk;
  readonly log: Log;
  /** Holds the file of the persistent nodes; made when missing, and locked against a second process. */
  readonly folder: string;
}

/** A coordinator inside this process. */
export interface EmbeddedCoordinator extends Coordinator {
  /** Ends a session as servers do whose client was silent for too long; by itself that never happens here. */
  expire(sessionId: string): void;
  /** Ends all sessions and lets go of the folder. */
  close(): Promise<void>;
}

/**
 * Opens the coordinator on its folder. A change of persistent nodes is on stable storage before it is answered;
 * ephemeral nodes end with their sessions and with the process. Throws {@link DiskError} (`locked`: another process
 * uses the folder) and `KvError` `damaged`.
 */
export function embeddedCoordinator(options: EmbeddedOptions): EmbeddedCoordinator {
  return new Embedded(options);
}

class Embedded implements EmbeddedCoordinator {
  readonly #log: Log;
  readonly #unlock: Cancel;
  readonly #file: TreeFile;
  readonly #run: number;
  readonly #tree: Tree;
  readonly #sessions = new Map<string, EmbeddedSession>();
  #opened = 0;
  /** Why nothing more can be done here. */
  #failed: string | undefined;

  constructor({ disk, log, folder }: EmbeddedOptions) {
    this.#log = log;
    disk.makeFolder(folder);
    this.#unlock = disk.lock(`${folder}/lock`);
    try {
      this.#file = new TreeFile(disk, folder);
      const saved: SavedTree = this.#file.load() ?? { run: 0, nodes: [] };
      this.#run = saved.run + 1;
      this.#tree = new Tree(saved.nodes);
      this.#save();
    } catch (error) {
      this.#unlock();
      throw error;
    }
  }

  async open(): Promise<Session> {
    if (this.#failed !== undefined) throw new CoordinatorError("connection-loss", "/", this.#failed);
    this.#opened += 1;
    // The run is part of the id, so that an id of an earlier process is never met again.
    const id = this.#run.toString(16) + this.#opened.toString(16).padStart(8, "0");
    const session = new EmbeddedSession(id, this, this.#log);
    this.#sessions.set(id, session);
    return session;
  }

  expire(sessionId: string): void {
    this.#sessions.get(sessionId)?.end("expired");
  }

  async close(): Promise<void> {
    if (this.#failed === undefined) this.#fail("the embedded coordinator is closed", "closed");
    this.#unlock();
  }

  read(path: string): NodeData | undefined {
    return this.#tree.read(path);
  }

  children(path: string): string[] | undefined {
    return this.#tree.children(path);
  }

  apply(session: string, operations: readonly Operation[]): readonly OperationResult[] {
    const applied = this.#tree.apply(session, operations);
    if (applied.persistent) {
      try {
        this.#save();
      } catch (error) {
        applied.undo();
        this.#saveFailed(error, operations[0]!.path);
      }
    }
    this.#notify(applied.changes);
    return applied.results;
  }

  endSession(session: string): void {
    this.#sessions.delete(session);
    this.#notify(this.#tree.endSession(session));
  }

  #save(): void {
    this.#file.save({ run: this.#run, nodes: this.#tree.persistentNodes() });
  }

  /** A full disk leaves the old file as it was. After any other failure nobody knows what the disk holds: stop. */
  #saveFailed(error: unknown, path: string): never {
    const why = `the coordinator's change cannot be saved: ${messageOf(error)}`;
    this.#log("error", why);
    if (!(error instanceof DiskError && error.fault === "full")) this.#fail(why, "expired");
    throw new CoordinatorError("connection-loss", path, why, { cause: error });
  }

  #fail(why: string, state: "expired" | "closed"): void {
    this.#failed = why;
    for (const session of [...this.#sessions.values()]) session.end(state);
  }

  #notify(changes: readonly Change[]): void {
    for (const session of this.#sessions.values()) session.notify(changes);
  }
}

class EmbeddedSession extends SessionBase {
  readonly #watches = new Watches();

  constructor(override readonly id: string, readonly server: Embedded, log: Log) {
    super(log);
  }

  notify(changes: readonly Change[]): void {
    for (const change of changes) {
      for (const callback of this.#watches.take(change, parentOf(change.path))) this.callLater(callback);
    }
  }

  end(state: "expired" | "closed"): void {
    this.become(state);
    this.server.endSession(this.id);
  }

  override async close(): Promise<void> {
    this.end("closed");
  }

  protected override async carryOut(operation: Operation): Promise<OperationResult> {
    return this.server.apply(this.id, [operation])[0]!;
  }

  protected override async carryOutAll(operations: readonly Operation[]): Promise<void> {
    this.server.apply(this.id, operations);
  }

  protected override async read(path: string, changed?: () => void): Promise<NodeData | undefined> {
    if (changed) this.#watches.addNode(path, changed);
    return this.server.read(path);
  }

  protected override async list(path: string, changed?: () => void): Promise<string[]> {
    const names = this.server.children(path);
    if (names === undefined) throw new CoordinatorError("no-node", path);
    if (changed) this.#watches.addChildren(path, changed);
    return names;
  }
}
