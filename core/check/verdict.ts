import { checkByVersion } from "./by_version.ts";
import type { Answer, KeyOperation, Request, Violation, ViolationKind } from "./history.ts";
import { Latencies, type LatencyFigures } from "./latencies.ts";
import { type Pause, Pauses } from "./pauses.ts";
import type { Records } from "./records.ts";

/** A request's kind; conditional writes are counted by themselves. */
export type OperationKind = Request["kind"] | "put-if" | "delete-if";

export interface KeyViolation extends Violation {
  readonly key: string;
}

/**
 * - `passed`: every key is linearizable, and was read after all else.
 * - `violated`: some key is not.
 * - `not shown`: no violation was found, but the checker gave up on a key, or a key was not read at the end.
 * - `unreachable`: no operation was answered.
 */
export type Outcome = "passed" | "violated" | "not shown" | "unreachable";

/** What a history shows. */
export interface RunVerdict {
  readonly outcome: Outcome;
  /** From the first call to the last return. */
  readonly durationUs: number;
  readonly operations: number;
  readonly keys: number;
  /** How often each kind of operation got each kind of answer. */
  readonly answers: Readonly<Partial<Record<OperationKind, Partial<Record<Answer["kind"], number>>>>>;
  /** Writes of which nobody can say whether they took effect. */
  readonly unknown: number;
  /** Operations that did nothing and said so. */
  readonly failed: number;
  readonly longestPause: Pause | undefined;
  /** Of all operations, failed ones and those of unknown outcome included. */
  readonly longestOperationUs: number;
  /** Of operations that were answered. */
  readonly latency: LatencyFigures;
  /** Keys without a get that was answered and begun after everything else had ended: their last write may be missing. */
  readonly unread: number;
  /** Lost and doubled writes are counted once, stale and other answers each. */
  readonly violations: Readonly<Record<ViolationKind, number>>;
  /** The first of each kind and key, at most {@link EXAMPLES_MAX}. */
  readonly examples: readonly KeyViolation[];
  /** Keys that the checker gave up on, with the reason. */
  readonly gaveUp: readonly { readonly key: string; readonly reason: string }[];
}

const EXAMPLES_MAX = 10;

/**
 * Judges a history: every key is checked for linearizability (`checkByVersion`), from the state without a value. About
 * 200,000 operations a second; beside the records, only one key at a time is in memory.
 */
export function judge(records: Records): RunVerdict {
  const judging = new Judging();
  for (const [key, operations] of records.byKey()) judging.key(key, operations);
  return judging.verdict();
}

class Judging {
  #operations = 0;
  #keys = 0;
  #unread = 0;
  #firstUs = Infinity;
  #lastUs = 0;
  #longestOperationUs = 0;
  #longestPause: Pause | undefined;
  readonly #answers: Partial<Record<OperationKind, Partial<Record<Answer["kind"], number>>>> = {};
  readonly #latencies = new Latencies();
  readonly #violations: Record<ViolationKind, number> = { lost: 0, duplicated: 0, stale: 0, other: 0 };
  readonly #examples: KeyViolation[] = [];
  readonly #gaveUp: { key: string; reason: string }[] = [];

  key(key: string, operations: readonly KeyOperation[]): void {
    this.#keys++;
    if (!readAtEnd(operations)) this.#unread++;
    operations.forEach((operation) => this.#count(operation));
    const pause = pauseOf(key, operations);
    if (pause !== undefined && pause.lengthUs > (this.#longestPause?.lengthUs ?? -1)) {
      this.#longestPause = pause;
    }
    const verdict = checkByVersion(operations);
    if (verdict.kind === "gave-up") this.#gaveUp.push({ key, reason: verdict.reason });
    if (verdict.kind === "violation") this.#addViolations(key, verdict.violations);
  }

  verdict(): RunVerdict {
    return {
      outcome: this.#outcome(),
      durationUs: Math.max(0, this.#lastUs - this.#firstUs),
      operations: this.#operations,
      keys: this.#keys,
      answers: this.#answers,
      unknown: this.#answered("unknown"),
      failed: this.#answered("failed"),
      longestPause: this.#longestPause,
      longestOperationUs: this.#longestOperationUs,
      latency: this.#latencies.figures(),
      unread: this.#unread,
      violations: this.#violations,
      examples: this.#examples,
      gaveUp: this.#gaveUp,
    };
  }

  #outcome(): Outcome {
    if (Object.values(this.#violations).some((number) => number > 0)) return "violated";
    const nothing = this.#operations === this.#answered("unknown") + this.#answered("failed");
    if (nothing && this.#operations > 0) return "unreachable";
    return nothing || this.#gaveUp.length > 0 || this.#unread > 0 ? "not shown" : "passed";
  }

  #answered(kind: Answer["kind"]): number {
    return Object.values(this.#answers).reduce((sum, answers) => sum + (answers[kind] ?? 0), 0);
  }

  #count({ request, answer, callAt, returnAt }: KeyOperation): void {
    this.#operations++;
    this.#firstUs = Math.min(this.#firstUs, callAt);
    this.#lastUs = Math.max(this.#lastUs, returnAt);
    const conditional = request.kind !== "get" && request.condition !== undefined;
    const kind: OperationKind = conditional ? `${request.kind}-if` : request.kind;
    const answers = this.#answers[kind] ??= {};
    answers[answer.kind] = (answers[answer.kind] ?? 0) + 1;
    this.#longestOperationUs = Math.max(this.#longestOperationUs, returnAt - callAt);
    if (isAnswered(answer)) {
      this.#latencies.add(request.kind === "get" ? "reads" : "writes", returnAt - callAt);
    }
  }

  #addViolations(key: string, violations: readonly Violation[]): void {
    const culprits = new Set<KeyOperation>();
    const kinds = new Set<ViolationKind>();
    for (const violation of violations) {
      const { kind, culprit } = violation;
      if (culprits.has(culprit)) continue;
      culprits.add(culprit);
      this.#violations[kind]++;
      if (kinds.has(kind) || this.#examples.length >= EXAMPLES_MAX) continue;
      kinds.add(kind);
      this.#examples.push({ key, ...violation });
    }
  }
}

function isAnswered(answer: Answer): boolean {
  return answer.kind !== "failed" && answer.kind !== "unknown";
}

function readAtEnd(operations: readonly KeyOperation[]): boolean {
  const isRead = ({ request, answer }: KeyOperation) => request.kind === "get" && isAnswered(answer);
  const lastRead = operations.reduce<KeyOperation | undefined>(
    (last, each) => isRead(each) && each.callAt >= (last?.callAt ?? 0) ? each : last,
    undefined,
  );
  if (lastRead === undefined) return false;
  return operations.every((each) => each.request.kind === "get" || each.returnAt <= lastRead.callAt);
}

function pauseOf(key: string, operations: readonly KeyOperation[]): Pause | undefined {
  const pauses = new Pauses();
  const events = operations.flatMap(({ callAt, returnAt, answer }) => [
    { at: callAt, answered: false },
    ...(isAnswered(answer) ? [{ at: returnAt, answered: true }] : []),
  ]);
  events.sort((a, b) => a.at - b.at || Number(a.answered) - Number(b.answered));
  for (const { at, answered } of events) {
    if (answered) pauses.answered(key, at);
    else pauses.called(key, at);
  }
  return pauses.longest(operations.reduce((last, { returnAt }) => Math.max(last, returnAt), 0));
}
