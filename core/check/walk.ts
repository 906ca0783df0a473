import { Antichain, type Configuration } from "./antichain.ts";
import type { Condition, KeyOperation } from "./history.ts";
import type { VersionedWrite } from "./versions.ts";

/** The walk of `checkByVersion` through the calls and returns of one key. */
export class Walk {
  /** All that explain what has returned; none when nothing does. */
  configurations: Configuration[] = [{ placed: 0, value: "none", done: 0, used: new Map() }];
  /** The most operations that were pending at once. */
  pendingMax = 0;
  /** Called operations that will return, each with its bit in {@link Configuration.done}. */
  readonly #pending = new Map<KeyOperation, number>();
  /** Called writes of unknown outcome whose version was seen: they never return. */
  readonly #seen = new Set<KeyOperation>();
  /** How many unseen writes of a class have been called. */
  readonly #unseen = new Map<string, number>();
  /** The version that the condition of a class names. */
  readonly #named = new Map<string, number>();
  /** Place of a write in the order of versions. */
  readonly #places: ReadonlyMap<KeyOperation | undefined, number>;
  /** Before the last return. */
  #before: readonly Configuration[] = [];
  /** The last place of a write that has returned. */
  #lastReturned = -1;

  constructor(readonly writes: readonly VersionedWrite[]) {
    this.#places = new Map(writes.map(({ operation }, place) => [operation, place]));
  }

  /** A write of unknown outcome begins that no answer can be traced to. */
  unseenCalled(operation: KeyOperation): void {
    const kind = classOf(operation);
    const { request } = operation;
    if (request.kind !== "get" && request.condition?.kind === "version") {
      this.#named.set(kind, request.condition.version);
    }
    this.#unseen.set(kind, (this.#unseen.get(kind) ?? 0) + 1);
  }

  called(operation: KeyOperation): void {
    if (operation.answer.kind === "unknown") {
      this.#seen.add(operation);
      return;
    }
    const taken = new Set(this.#pending.values());
    let bit = 0;
    while (taken.has(bit)) bit++;
    this.#pending.set(operation, bit);
    this.pendingMax = Math.max(this.pendingMax, this.#pending.size);
    this.configurations = this.configurations.map((configuration) => this.#placeReads(configuration));
  }

  /** False: no order of the operations explains the answer. */
  returned(operation: KeyOperation): boolean {
    this.#before = this.configurations;
    const bit = 1 << this.#pending.get(operation)!;
    const visited = new Antichain();
    const explained = new Antichain();
    const queue = [...this.configurations];
    for (let next = queue.pop(); next !== undefined; next = queue.pop()) {
      if (next.done & bit) explained.add(next);
      else if (visited.add(next)) queue.push(...this.#successors(next));
    }
    this.#pending.delete(operation);
    const merged = new Antichain();
    for (const configuration of explained.all()) {
      merged.add({ ...this.#withoutSpent(configuration), done: configuration.done & ~bit });
    }
    this.configurations = merged.all();
    this.#lastReturned = Math.max(this.#lastReturned, this.#places.get(operation) ?? -1);
    return this.configurations.length > 0;
  }

  /**
   * Goes on after an answer that nothing explains: without it, or, if it is that of a write, from the state that it
   * claims. All that is pending counts as placed then, because its turn may be over.
   */
  resume(operation: KeyOperation): void {
    const place = this.#places.get(operation);
    if (place === undefined) {
      this.configurations = [...this.#before];
      return;
    }
    let done = 0;
    for (const bit of this.#pending.values()) done |= 1 << bit;
    const { deletes, version } = this.writes[place]!;
    const placed = Math.max(place, this.#lastReturned) + 1;
    this.configurations = [{ placed, value: deletes ? "none" : version, done, used: new Map() }];
  }

  /**
   * Forgets the use of writes whose condition names a version that is gone for good: nobody can use another of them, and
   * configurations that differ in nothing else are the same.
   */
  #withoutSpent(configuration: Configuration): Configuration {
    const { used, value, placed } = configuration;
    const next = this.writes[placed]?.version ?? Infinity;
    const spent = [...used.keys()].filter((kind) => {
      const version = this.#named.get(kind);
      return version !== undefined && version !== value && version < next;
    });
    if (spent.length === 0) return configuration;
    const left = new Map(used);
    for (const kind of spent) left.delete(kind);
    return { ...configuration, used: left };
  }

  #successors(from: Configuration): Configuration[] {
    const next: Configuration[] = [];
    const add = (configuration: Configuration | undefined) => {
      if (configuration !== undefined) next.push(this.#placeReads(configuration));
    };
    add(this.#placeWrite(from));
    if (this.writes[from.placed]?.optional) add({ ...from, placed: from.placed + 1 });
    if (from.value === "none") add(this.#useUnseen(from, ["put if absent", "put"], { value: "unseen" }));
    else add(this.#useUnseen(from, [`delete if ${from.value}`, "delete"], { value: "none" }));
    return next;
  }

  /** Places the next write in the order of versions, if it has been called and its answer fits. */
  #placeWrite(from: Configuration): Configuration | undefined {
    const write = this.writes[from.placed];
    if (write === undefined) return undefined;
    const after = { placed: from.placed + 1, value: write.deletes ? "none" : write.version } as const;
    if (write.operation === undefined) {
      const conditional = from.value === "none" ? "put if absent" : `put if ${from.value}`;
      return this.#useUnseen(from, [conditional, "put"], after);
    }
    const { request, answer } = write.operation;
    if (request.kind === "get" || !this.#satisfies(from, request.condition)) return undefined;
    if (this.#seen.has(write.operation)) return { ...from, ...after };
    const bit = this.#pending.get(write.operation);
    const existed = from.value !== "none";
    if (bit === undefined || (answer.kind === "written" && answer.existed !== existed)) return undefined;
    return { ...from, ...after, done: from.done | (1 << bit) };
  }

  #useUnseen(
    from: Configuration,
    classes: readonly string[],
    after: Partial<Configuration>,
  ): Configuration | undefined {
    const kind = classes.find((name) => (this.#unseen.get(name) ?? 0) > (from.used.get(name) ?? 0));
    if (kind === undefined) return undefined;
    const used = new Map(from.used).set(kind, (from.used.get(kind) ?? 0) + 1);
    return { ...from, ...after, used };
  }

  #placeReads(configuration: Configuration): Configuration {
    let { done } = configuration;
    for (const [operation, bit] of this.#pending) {
      if (this.#reads(configuration, operation)) done |= 1 << bit;
    }
    return done === configuration.done ? configuration : { ...configuration, done };
  }

  /** Whether the operation changes nothing and its answer fits the state. */
  #reads(state: Configuration, { answer, request }: KeyOperation): boolean {
    if (answer.kind === "absent") return state.value === "none";
    if (answer.kind === "value") return state.value === answer.version;
    if (answer.kind !== "condition-failed" || request.kind === "get") return false;
    const present = answer.version === 0 ? state.value === "none" : state.value === answer.version;
    return present && request.condition !== undefined && !this.#satisfies(state, request.condition);
  }

  #satisfies(state: Configuration, condition: Condition | undefined): boolean {
    if (condition === undefined) return true;
    if (condition.kind === "absent") return state.value === "none";
    return state.value === condition.version;
  }
}

/** Unseen writes of one class are interchangeable. */
function classOf(operation: KeyOperation): string {
  const { request } = operation;
  if (request.kind === "get" || request.condition === undefined) return request.kind;
  return className(request.kind, request.condition);
}

function className(kind: "put" | "delete", condition: Condition): string {
  return condition.kind === "absent" ? `${kind} if absent` : `${kind} if ${condition.version}`;
}
