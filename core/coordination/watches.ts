/** A change of the tree, as watches see it. */
export interface Change {
  readonly kind: "created" | "set" | "removed";
  readonly path: string;
}

type Callback = () => void;

/**
 * One-shot watches of one session. A function given twice for the same thing is one watch, so that a user who looks
 * by himself every few seconds, with the same function, piles nothing up.
 */
export class Watches {
  readonly #nodes = new Map<string, Set<Callback>>();
  readonly #children = new Map<string, Set<Callback>>();

  /** `changed` is wanted when the node comes, goes or gets other data. */
  addNode(path: string, changed: Callback): void {
    add(this.#nodes, path, changed);
  }

  /** `changed` is wanted when a child of the node comes or goes, or the node itself goes. */
  addChildren(path: string, changed: Callback): void {
    add(this.#children, path, changed);
  }

  /** Removes and returns the functions that are to be called for the change, each once. */
  take(change: Change, parent: string): Callback[] {
    const taken = new Set(this.takeNode(change.path));
    if (change.kind !== "set") {
      for (const callback of this.takeChildren(parent)) taken.add(callback);
    }
    if (change.kind === "removed") {
      for (const callback of this.takeChildren(change.path)) taken.add(callback);
    }
    return [...taken];
  }

  takeNode(path: string): Callback[] {
    return takeFrom(this.#nodes, path);
  }

  takeChildren(path: string): Callback[] {
    return takeFrom(this.#children, path);
  }

  /** All of them: after a lost connection nobody knows which changes were missed. */
  takeAll(): Callback[] {
    const all = [...this.#nodes.values(), ...this.#children.values()].flatMap((set) => [...set]);
    this.#nodes.clear();
    this.#children.clear();
    return [...new Set(all)];
  }
}

function add(map: Map<string, Set<Callback>>, path: string, callback: Callback): void {
  const set = map.get(path);
  if (set === undefined) map.set(path, new Set([callback]));
  else set.add(callback);
}

function takeFrom(map: Map<string, Set<Callback>>, path: string): Callback[] {
  const set = map.get(path);
  map.delete(path);
  return set === undefined ? [] : [...set];
}
