import { CoordinatorError, type NodeData, type Operation, type Stat } from "./coordinator.ts";
import { parentOf } from "./validate.ts";
import type { Change } from "./watches.ts";

/** The owner of persistent nodes. */
export const NOBODY = "0";

/** A node as it is kept and saved. */
export interface TreeNode {
  readonly path: string;
  readonly data: string;
  /** Changes of `data` since creation. */
  readonly version: number;
  /** Session of an ephemeral node, {@link NOBODY} of a persistent one. */
  readonly owner: string;
  /** Children ever created here; the number of the next sequential one. Never falls. */
  readonly childrenCreated: number;
}

/** What one step made: the path (of a sequential node: the full one), and the node's state unless it is gone. */
export interface OperationResult {
  readonly path: string;
  readonly stat: Stat | undefined;
}

export interface Applied {
  readonly results: readonly OperationResult[];
  readonly changes: readonly Change[];
  /** Whether a persistent node was changed. */
  readonly persistent: boolean;
  /** Takes all of it back; only before anything else is applied. */
  undo(): void;
}

/**
 * The tree in memory, with ZooKeeper's rules: versions count changes of the data, ephemeral nodes have no children,
 * sequential names end in the parent's count of creations as ten digits. Pure: the same calls give the same tree.
 */
export class Tree {
  /** By path. Invariant: the parent of each node is here too. */
  readonly #nodes = new Map<string, TreeNode>();
  /** Names below each path of `#nodes`. */
  readonly #names = new Map<string, Set<string>>();

  /** @param saved what {@link persistentNodes} gave, parents first. */
  constructor(saved: readonly TreeNode[] = []) {
    this.#put({ path: "/", data: "", version: 0, owner: NOBODY, childrenCreated: 0 });
    for (const node of saved) this.#put(node);
  }

  read(path: string): NodeData | undefined {
    const node = this.#nodes.get(path);
    return node && { data: node.data, stat: statOf(node) };
  }

  /** Sorted names; undefined when there is no such node. */
  children(path: string): string[] | undefined {
    const names = this.#names.get(path);
    return names && [...names].sort();
  }

  /** Carries out all steps or, when one throws {@link CoordinatorError}, none. */
  apply(session: string, operations: readonly Operation[]): Applied {
    const before: [path: string, node: TreeNode | undefined][] = [];
    const undo = () => {
      for (const [path, node] of before.splice(0).reverse()) {
        if (node === undefined) this.#delete(path);
        else this.#put(node);
      }
    };
    const step = new Step(
      session,
      (path) => this.#nodes.get(path),
      (path) => (this.#names.get(path)?.size ?? 0) > 0,
    );
    const results: OperationResult[] = [];
    const changes: Change[] = [];
    let persistent = false;
    try {
      for (const operation of operations) {
        const effect = step.of(operation);
        for (const [path, node] of effect.writes) {
          before.push([path, this.#nodes.get(path)]);
          if (node === undefined) this.#delete(path);
          else this.#put(node);
        }
        results.push(effect.result);
        if (effect.change) changes.push(effect.change);
        persistent ||= effect.persistent;
      }
    } catch (error) {
      undo();
      throw error;
    }
    return { results, changes, persistent, undo };
  }

  /** Removes the session's ephemeral nodes. */
  endSession(session: string): Change[] {
    const paths = [...this.#nodes.values()].filter((node) => node.owner === session).map((node) => node.path);
    for (const path of paths) this.#delete(path);
    return paths.map((path) => ({ kind: "removed", path }));
  }

  /** Parents before children. */
  persistentNodes(): TreeNode[] {
    return [...this.#nodes.values()].filter((node) => node.owner === NOBODY)
      .sort((a, b) => (a.path < b.path ? -1 : 1));
  }

  #put(node: TreeNode): void {
    this.#nodes.set(node.path, node);
    if (!this.#names.has(node.path)) this.#names.set(node.path, new Set());
    if (node.path !== "/") this.#names.get(parentOf(node.path))!.add(nameOf(node.path));
  }

  #delete(path: string): void {
    this.#nodes.delete(path);
    this.#names.delete(path);
    this.#names.get(parentOf(path))?.delete(nameOf(path));
  }
}

interface Effect {
  /** In order; undefined removes. */
  readonly writes: readonly (readonly [path: string, node: TreeNode | undefined])[];
  readonly result: OperationResult;
  readonly change?: Change;
  readonly persistent: boolean;
}

/** Decides what one operation does to the tree as it stands. */
class Step {
  constructor(
    readonly session: string,
    readonly node: (path: string) => TreeNode | undefined,
    readonly hasChildren: (path: string) => boolean,
  ) {}

  of(operation: Operation): Effect {
    switch (operation.kind) {
      case "check":
        return unchanged(this.#expect(operation.path, operation.version));
      case "create":
        return this.#create(operation);
      case "set":
        return this.#set(operation);
      case "remove":
        return this.#remove(operation);
    }
  }

  #create({ path: asked, data, mode }: Extract<Operation, { kind: "create" }>): Effect {
    const parent = this.node(parentOf(asked));
    if (parent === undefined) throw new CoordinatorError("no-node", asked, "the parent does not exist");
    if (parent.owner !== NOBODY) {
      throw new CoordinatorError("bad-arguments", asked, "an ephemeral node has no children");
    }
    const sequence = String(parent.childrenCreated).padStart(10, "0");
    const path = mode === "ephemeral-sequential" ? asked + sequence : asked;
    if (this.node(path)) throw new CoordinatorError("node-exists", path);
    const owner = mode === "persistent" ? NOBODY : this.session;
    const made: TreeNode = { path, data, version: 0, owner, childrenCreated: 0 };
    return {
      writes: [[parent.path, { ...parent, childrenCreated: parent.childrenCreated + 1 }], [path, made]],
      result: { path, stat: statOf(made) },
      change: { kind: "created", path },
      persistent: owner === NOBODY,
    };
  }

  #set({ path, data, version }: Extract<Operation, { kind: "set" }>): Effect {
    const old = this.#expect(path, version);
    const made = { ...old, data, version: old.version + 1 };
    return {
      writes: [[path, made]],
      result: { path, stat: statOf(made) },
      change: { kind: "set", path },
      persistent: old.owner === NOBODY,
    };
  }

  #remove({ path, version }: Extract<Operation, { kind: "remove" }>): Effect {
    const old = this.#expect(path, version);
    if (path === "/") throw new CoordinatorError("bad-arguments", path, "the root cannot be removed");
    if (this.hasChildren(path)) throw new CoordinatorError("not-empty", path);
    return {
      writes: [[path, undefined]],
      result: { path, stat: undefined },
      change: { kind: "removed", path },
      persistent: old.owner === NOBODY,
    };
  }

  #expect(path: string, version: number | undefined): TreeNode {
    const node = this.node(path);
    if (node === undefined) throw new CoordinatorError("no-node", path);
    if (version !== undefined && node.version !== version) {
      throw new CoordinatorError("bad-version", path, `has version ${node.version}, not ${version}`);
    }
    return node;
  }
}

function unchanged(node: TreeNode): Effect {
  return { writes: [], result: { path: node.path, stat: statOf(node) }, persistent: false };
}

function statOf(node: TreeNode): Stat {
  return { version: node.version, ephemeralOwner: node.owner };
}

function nameOf(path: string): string {
  return path.slice(path.lastIndexOf("/") + 1);
}
