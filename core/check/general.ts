import {
  type Answer,
  type Condition,
  describe,
  type KeyOperation,
  LINEARIZABLE,
  type Verdict,
} from "./history.ts";

/**
 * Linearizability by search, for short histories: the algorithm of Wing and Gong ("Testing and verifying concurrent
 * objects", 1993) with Lowe's memory of the pairs (operations placed, state) seen before ("Testing for
 * linearizability", 2017). It uses nothing but the definition: it places, one after the other, any operation that was
 * called before every not yet placed one had returned, if the model allows the answer in the present state; a history
 * is linearizable when all operations that returned an outcome can be placed. Writes of unknown outcome have no
 * return: they may be placed anywhere after their call, or not at all.
 */
export function checkGeneral(history: readonly KeyOperation[], stepsMax = 200_000): Verdict {
  const operations = history.filter((op) =>
    op.answer.kind !== "failed" && !(op.request.kind === "get" && op.answer.kind === "unknown")
  );
  const ends = operations.map((op) => op.answer.kind === "unknown" ? Infinity : op.returnAt);
  const search = new Search(operations, ends, stepsMax);
  const found = search.from(0n, { writer: undefined, version: 0, newest: 0 });
  if (found) return LINEARIZABLE;
  if (search.steps > stepsMax) return { kind: "gave-up", reason: `${stepsMax} steps were not enough` };
  return {
    kind: "violation",
    violations: [],
    reason: `no order of these explains them:\n${operations.map(describe).join("\n")}`,
  };
}

/** The key's state. Without a writer there is no value. */
interface State {
  readonly writer: number | undefined;
  /** Undefined until somebody was told which version an unknown write got. */
  readonly version: number | undefined;
  /** The highest version told so far; versions rise. */
  readonly newest: number;
}

class Search {
  steps = 0;
  readonly #seen = new Set<string>();

  constructor(
    readonly operations: readonly KeyOperation[],
    readonly ends: readonly number[],
    readonly stepsMax: number,
  ) {}

  from(placed: bigint, state: State): boolean {
    if (++this.steps > this.stepsMax) return false;
    const key = `${placed} ${state.writer} ${state.version} ${state.newest}`;
    if (this.#seen.has(key)) return false;
    this.#seen.add(key);
    const open = this.operations.map((_, i) => i).filter((i) => (placed & (1n << BigInt(i))) === 0n);
    const firstEnd = Math.min(...open.map((i) => this.ends[i]!));
    if (firstEnd === Infinity) return true;
    for (const i of open) {
      if (this.operations[i]!.callAt > firstEnd) continue;
      const next = this.#step(state, i);
      if (next !== undefined && this.from(placed | (1n << BigInt(i)), next)) return true;
    }
    return false;
  }

  /** The state after operation `i`, or undefined where its answer is impossible. */
  #step(state: State, i: number): State | undefined {
    const { request, answer } = this.operations[i]!;
    if (request.kind === "get") return this.#read(state, answer);
    if (answer.kind === "absent") return state.writer === undefined ? state : undefined;
    if (answer.kind === "condition-failed") return conditionFailed(state, request.condition, answer.version);
    const before = satisfying(state, request.condition);
    if (before === undefined) return undefined;
    const existed = before.writer !== undefined;
    const writer = request.kind === "put" ? i : undefined;
    if (answer.kind === "unknown") {
      if (request.kind === "delete" && !existed) return undefined;
      return { writer, version: undefined, newest: before.newest };
    }
    if (answer.kind !== "written" || answer.existed !== existed || answer.version <= before.newest) {
      return undefined;
    }
    return { writer, version: answer.version, newest: answer.version };
  }

  #read(state: State, answer: Answer): State | undefined {
    if (answer.kind === "absent") return state.writer === undefined ? state : undefined;
    if (answer.kind !== "value" || state.writer === undefined) return undefined;
    const { request } = this.operations[state.writer]!;
    return request.kind === "put" && request.value === answer.value ? told(state, answer.version) : undefined;
  }
}

/** The state once somebody was told that its value has this version. */
function told(state: State, version: number): State | undefined {
  if (state.writer === undefined) return undefined;
  if (state.version !== undefined) return state.version === version ? state : undefined;
  return version > state.newest ? { ...state, version, newest: version } : undefined;
}

function satisfying(state: State, condition: Condition | undefined): State | undefined {
  if (condition === undefined) return state;
  if (condition.kind === "absent") return state.writer === undefined ? state : undefined;
  return told(state, condition.version);
}

function conditionFailed(state: State, condition: Condition | undefined, present: number): State | undefined {
  if (condition === undefined || (condition.kind === "version" && condition.version === present)) {
    return undefined;
  }
  if (present > 0) return told(state, present);
  return condition.kind === "version" && state.writer === undefined ? state : undefined;
}
