import type { Answer, Condition, KeyOperation, Request } from "./history.ts";

/** One operation of a run. */
export interface OperationRecord {
  readonly client: string;
  readonly key: string;
  readonly request: Request;
  readonly answer: Answer;
  /** Epoch of the slot in which a write was answered, where known. */
  readonly epoch?: number | undefined;
  /** Why the operation failed, or its outcome is unknown: an error code. */
  readonly error?: string | undefined;
  /** Microseconds since some moment, the same for all operations of a run. */
  readonly callUs: number;
  readonly returnUs: number;
}

const REQUESTS = ["get", "put", "delete"] as const;
const CONDITIONS = ["none", "absent", "version"] as const;
const ANSWERS = ["value", "absent", "written", "condition-failed", "unknown", "failed"] as const;

/** Columns of a row. */
const CALL = 0, RETURN = 1, KEY = 2, CLIENT = 3, SHAPE = 4, VALUE = 5, NAMED = 6, VERSION = 7;
const ROW = 8;
const CHUNK_ROWS = 1 << 14;

/**
 * The operations of a run, 64 bytes each, so that a million of them take little memory; operations as the checkers want
 * them are made key by key. Error codes and epochs, which no verdict needs, are not kept.
 */
export class Records {
  #size = 0;
  readonly #chunks: Float64Array[] = [];
  readonly #keys = new Texts();
  readonly #clients = new Texts();
  /** Values that are no numbers; those of `kv bench check` are, so that they take no room here. */
  readonly #strangeValues = new Texts();

  get size(): number {
    return this.#size;
  }

  add({ client, key, request, answer, callUs, returnUs }: OperationRecord): void {
    const condition = request.kind === "get" ? undefined : request.condition;
    const existed = answer.kind === "written" && answer.existed ? 1 : 0;
    const shape = REQUESTS.indexOf(request.kind) + 3 * CONDITIONS.indexOf(condition?.kind ?? "none") +
      9 * ANSWERS.indexOf(answer.kind) + 54 * existed;
    const value = request.kind === "put" ? request.value : answer.kind === "value" ? answer.value : undefined;
    const row = this.#size++;
    if (row % CHUNK_ROWS === 0) this.#chunks.push(new Float64Array(CHUNK_ROWS * ROW));
    const at = (row % CHUNK_ROWS) * ROW;
    const chunk = this.#chunks.at(-1)!;
    chunk[at + CALL] = callUs;
    chunk[at + RETURN] = returnUs;
    chunk[at + KEY] = this.#keys.idOf(key);
    chunk[at + CLIENT] = this.#clients.idOf(client);
    chunk[at + SHAPE] = shape;
    chunk[at + VALUE] = value === undefined ? 0 : this.#numberOf(value);
    chunk[at + NAMED] = condition?.kind === "version" ? condition.version : 0;
    chunk[at + VERSION] = "version" in answer ? answer.version : 0;
  }

  /** Key by key, the operations in the order in which they were added. */
  *byKey(): Generator<readonly [key: string, operations: KeyOperation[]]> {
    const rows = Array.from({ length: this.#keys.size }, () => [] as number[]);
    for (let row = 0; row < this.#size; row++) rows[this.#cell(row, KEY)]!.push(row);
    for (const [key, own] of rows.entries()) {
      yield [this.#keys.textOf(key), own.map((row) => this.#operation(row))];
    }
  }

  #operation(row: number): KeyOperation {
    const shape = this.#cell(row, SHAPE);
    const condition = conditionOf(CONDITIONS[Math.floor(shape / 3) % 3]!, this.#cell(row, NAMED));
    const kind = REQUESTS[shape % 3]!;
    return {
      request: kind === "get"
        ? { kind }
        : kind === "put"
        ? { kind, value: this.#value(row), condition }
        : { kind, condition },
      answer: this.#answer(row, ANSWERS[Math.floor(shape / 9) % 6]!, shape >= 54),
      callAt: this.#cell(row, CALL),
      returnAt: this.#cell(row, RETURN),
      client: this.#clients.textOf(this.#cell(row, CLIENT)),
    };
  }

  #answer(row: number, kind: Answer["kind"], existed: boolean): Answer {
    const version = this.#cell(row, VERSION);
    if (kind === "value") return { kind, value: this.#value(row), version };
    if (kind === "written") return { kind, version, existed };
    return kind === "condition-failed" ? { kind, version } : { kind };
  }

  #value(row: number): string {
    const number = this.#cell(row, VALUE);
    return number >= 0 ? String(number) : this.#strangeValues.textOf(-1 - number);
  }

  #numberOf(value: string): number {
    const number = Number(value);
    return number >= 0 && String(number) === value ? number : -1 - this.#strangeValues.idOf(value);
  }

  #cell(row: number, column: number): number {
    return this.#chunks[Math.floor(row / CHUNK_ROWS)]![(row % CHUNK_ROWS) * ROW + column]!;
  }
}

function conditionOf(kind: typeof CONDITIONS[number], version: number): Condition | undefined {
  return kind === "none" ? undefined : kind === "absent" ? { kind } : { kind, version };
}

/** Numbers for texts. */
class Texts {
  readonly #ids = new Map<string, number>();
  readonly #texts: string[] = [];

  get size(): number {
    return this.#texts.length;
  }

  idOf(text: string): number {
    const known = this.#ids.get(text);
    if (known !== undefined) return known;
    this.#ids.set(text, this.#texts.length);
    return this.#texts.push(text) - 1;
  }

  textOf(id: number): string {
    return this.#texts[id]!;
  }
}
