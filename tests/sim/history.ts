import { checkByVersion } from "../../core/check/by_version.ts";
import { checkGeneral } from "../../core/check/general.ts";
import type { Answer, KeyOperation, Request } from "../../core/check/history.ts";

type Recorded = { -readonly [F in keyof KeyOperation]: KeyOperation[F] };

/** Everything that clients asked and were told, by key. What was never answered has an unknown outcome. */
export class History {
  readonly #byKey = new Map<string, Recorded[]>();
  #position = 0;
  /** Operations asked for. */
  asked = 0;
  /** Called with each answer. */
  onAnswer: (key: string, answer: Answer) => void = () => {};
  /** Answers by kind. */
  readonly answers = new Map<Answer["kind"], number>();

  begin(key: string, request: Request, client: string): KeyOperation {
    this.asked++;
    const operation: Recorded = {
      request,
      client,
      answer: { kind: "unknown" },
      callAt: ++this.#position,
      returnAt: Infinity,
    };
    const operations = this.#byKey.get(key);
    if (operations === undefined) this.#byKey.set(key, [operation]);
    else operations.push(operation);
    return operation;
  }

  end(key: string, operation: KeyOperation, answer: Answer): void {
    const recorded: Recorded = operation;
    recorded.answer = answer;
    recorded.returnAt = ++this.#position;
    this.answers.set(answer.kind, (this.answers.get(answer.kind) ?? 0) + 1);
    this.onAnswer(key, answer);
  }

  /** The operations on each key, in the order of their calls. */
  get byKey(): ReadonlyMap<string, readonly KeyOperation[]> {
    return this.#byKey;
  }
}

export interface HistoryVerdict {
  readonly violations: readonly string[];
  readonly gaveUp: readonly string[];
}

/** Short histories of a key go through the general checker too: the two must agree. */
const GENERAL_OPERATIONS_MAX = 14;

/** `isVoid`: whether nothing was promised about the key. */
export function checkHistory(history: History, isVoid: (key: string) => boolean): HistoryVerdict {
  const violations: string[] = [];
  const gaveUp: string[] = [];
  for (const [key, operations] of history.byKey) {
    if (isVoid(key)) continue;
    const verdict = checkByVersion(operations);
    if (verdict.kind === "violation") violations.push(`key ${key} is not linearizable: ${verdict.reason}`);
    if (verdict.kind === "gave-up") gaveUp.push(`key ${key}: ${verdict.reason}`);
    if (operations.length > GENERAL_OPERATIONS_MAX) continue;
    const general = checkGeneral(operations);
    if (general.kind !== "gave-up" && verdict.kind !== "gave-up" && general.kind !== verdict.kind) {
      violations.push(
        `key ${key}: the checkers disagree: by version ${verdict.kind}, general ${general.kind}`,
      );
    }
  }
  return { violations, gaveUp };
}
