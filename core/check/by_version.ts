import { type Condition, describe, type KeyOperation, LINEARIZABLE, type Verdict } from "./history.ts";
import { readVersions, type VersionedWrite } from "./versions.ts";

/**
 * Linearizability of one key when every reply carries the version: near-linear in the length of the history.
 *
 * It is Lowe's just-in-time linearization ("Testing for linearizability", 2017): walk through calls and returns in
 * their order and keep the set of configurations (state, pending operations already placed) that explain all returns
 * so far; only a return makes operations be placed. What keeps that set small, and why nothing is lost by it:
 *
 * 1. *Versions give the order of writes.* Writes whose version somebody was told are placed in the order of versions
 *    and no other, so a configuration names only how many of them are placed.
 * 2. *Reads are placed at once.* A pending answer that changes nothing and fits the present state is placed as soon as
 *    the state comes up: it leaves the state as it is, and having it placed only removes an obligation.
 * 3. *Unseen writes are counted.* A write of unknown outcome whose version nobody saw has no return and no mark of its
 *    own: all such writes of one class (put or delete, and the condition) that have been called are interchangeable. A
 *    configuration counts how many of a class it used. An unseen put is only of use where there is no value (over a
 *    value, it would only forbid what was allowed before), a delete only where there is one. Where a conditional
 *    one fits, it is used before an unconditional one, which could do everything the other can do later.
 * 4. *Dominated configurations go.* Of two in the same state, the one that placed no less and used no more of every
 *    class can do whatever the other can.
 *
 * A version that is known from a condition alone belongs to some unseen put and uses one up when its turn in the order
 * comes. Its turn may be left out where only writes of unknown outcome named it.
 */
export function checkByVersion(history: readonly KeyOperation[], configurationsMax = 20_000): Verdict {
  const versions = readVersions(history);
  if (versions.kind === "violation") return versions;
  const walk = new Walk(versions.writes);
  for (const event of eventsOf(history, versions.unseen)) {
    if (event.kind === "unseen") walk.unseenCalled(classOf(event.operation));
    else if (event.kind === "call") walk.called(event.operation);
    else walk.returned(event.operation);
    if (walk.configurations.length === 0) return violation(event.operation, walk.before);
    if (walk.configurations.length > configurationsMax || walk.pendingMax > 30) {
      return {
        kind: "gave-up",
        reason: `${walk.configurations.length} possibilities after ${event.operation.callAt}`,
      };
    }
  }
  return LINEARIZABLE;
}

interface Configuration {
  /** How many of the versioned writes are placed. */
  readonly placed: number;
  /** The version of the present value; "unseen": that of a put whose version nobody was told. */
  readonly value: number | "unseen" | "none";
  /** Bits of the pending operations already placed. */
  readonly done: number;
  /** Unseen writes used, by class. */
  readonly used: ReadonlyMap<string, number>;
}

interface Event {
  readonly kind: "call" | "return" | "unseen";
  readonly at: number;
  readonly operation: KeyOperation;
}

function eventsOf(history: readonly KeyOperation[], unseen: ReadonlySet<KeyOperation>): Event[] {
  const events: Event[] = [];
  for (const operation of history) {
    const { request, answer, callAt, returnAt } = operation;
    if (unseen.has(operation)) events.push({ kind: "unseen", at: callAt, operation });
    else if (answer.kind === "failed" || (answer.kind === "unknown" && request.kind === "get")) continue;
    else {
      events.push({ kind: "call", at: callAt, operation });
      if (answer.kind !== "unknown") events.push({ kind: "return", at: returnAt, operation });
    }
  }
  return events.sort((a, b) => a.at - b.at);
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

class Walk {
  configurations: Configuration[] = [{ placed: 0, value: "none", done: 0, used: new Map() }];
  /** Before the last event: for the message when none is left. */
  before: readonly Configuration[] = [];
  pendingMax = 0;
  /** Called operations that will return, each with its bit in {@link Configuration.done}. */
  readonly #pending = new Map<KeyOperation, number>();
  /** Called writes of unknown outcome whose version was seen: they never return. */
  readonly #seen = new Set<KeyOperation>();
  /** How many unseen writes of a class have been called. */
  readonly #unseen = new Map<string, number>();

  constructor(readonly writes: readonly VersionedWrite[]) {}

  unseenCalled(kind: string): void {
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
    this.pendingMax = Math.max(this.pendingMax, bit);
    this.configurations = this.configurations.map((configuration) => this.#placeReads(configuration));
  }

  returned(operation: KeyOperation): void {
    this.before = this.configurations;
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
      merged.add({ ...configuration, done: configuration.done & ~bit });
    }
    this.configurations = merged.all();
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

/** Configurations of which none dominates another. */
class Antichain {
  readonly #groups = new Map<string, Configuration[]>();

  /** False, and nothing is added, when one that is there can do all that this one can. */
  add(configuration: Configuration): boolean {
    const key = `${configuration.placed} ${configuration.value}`;
    const group = this.#groups.get(key) ?? [];
    if (group.some((other) => dominates(other, configuration))) return false;
    this.#groups.set(key, [...group.filter((other) => !dominates(configuration, other)), configuration]);
    return true;
  }

  all(): Configuration[] {
    return [...this.#groups.values()].flat();
  }
}

function dominates(a: Configuration, b: Configuration): boolean {
  if ((a.done & b.done) !== b.done) return false;
  for (const [kind, count] of a.used) if (count > (b.used.get(kind) ?? 0)) return false;
  return true;
}

function violation(operation: KeyOperation, before: readonly Configuration[]): Verdict {
  const possible = [...new Set(before.map(({ value }) => String(value)))].join(", ");
  const reason = `${describe(operation)}: versions that were possible before its return: ${possible}`;
  return { kind: "violation", operation, reason };
}
