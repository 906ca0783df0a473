/** Operations that are recorded from the call to the answer. */

import { answerOfError, answerOfGet, answerOfWrite, codeOf } from "../../../core/check/answer.ts";
import type { Answer, Request } from "../../../core/check/history.ts";
import { Pauses } from "../../../core/check/pauses.ts";
import { type OperationRecord, Records } from "../../../core/check/records.ts";
import type { Client, WriteOptions } from "../../../core/client/api.ts";
import type { Clock } from "../../../core/platform/ports.ts";

/** A client and its name in the history. */
export interface NamedClient {
  readonly name: string;
  readonly client: Client;
}

export class Recorder {
  readonly records = new Records();
  failed = 0;
  unknown = 0;
  inFlight = 0;

  readonly #startMs: number;
  readonly #pauses = new Pauses();

  /** `keep` is given every operation when it has ended. */
  constructor(private readonly clock: Clock, private readonly keep: (record: OperationRecord) => void) {
    this.#startMs = clock.monotonicMs();
  }

  /** Microseconds since the start. */
  get nowUs(): number {
    return Math.floor((this.clock.monotonicMs() - this.#startMs) * 1000);
  }

  /** So far, what has not ended included. */
  get longestPauseUs(): number {
    return this.#pauses.longest(this.nowUs)?.lengthUs ?? 0;
  }

  /** Asks and records. Rejects only when the history cannot be kept. */
  async operate(by: NamedClient, key: string, request: Request, timeoutMs: number): Promise<Answer> {
    const callUs = this.nowUs;
    this.#pauses.called(key, callUs);
    this.inFlight++;
    const asked = await ask(by.client, key, request, timeoutMs);
    this.inFlight--;
    const returnUs = this.nowUs;
    const record = { client: by.name, key, request, ...asked, callUs, returnUs };
    this.#count(record);
    this.records.add(record);
    this.keep(record);
    return asked.answer;
  }

  #count({ answer, key, returnUs }: OperationRecord): void {
    if (answer.kind === "failed") this.failed++;
    else if (answer.kind === "unknown") this.unknown++;
    else this.#pauses.answered(key, returnUs);
  }
}

type Asked = Pick<OperationRecord, "answer" | "epoch" | "error">;

async function ask(client: Client, key: string, request: Request, timeoutMs: number): Promise<Asked> {
  try {
    if (request.kind === "get") return { answer: answerOfGet(await client.get(key, { timeoutMs })) };
    const options = writeOptions(request, timeoutMs);
    const result = request.kind === "put"
      ? await client.put(key, request.value, options)
      : await client.delete(key, options);
    return { answer: answerOfWrite(result), epoch: result.epoch };
  } catch (error) {
    // Of an error that no client should throw nothing can be concluded.
    return { answer: answerOfError(error) ?? { kind: "unknown" }, error: codeOf(error) };
  }
}

function writeOptions({ condition }: Exclude<Request, { kind: "get" }>, timeoutMs: number): WriteOptions {
  if (condition === undefined) return { timeoutMs };
  return condition.kind === "absent"
    ? { timeoutMs, ifAbsent: true }
    : { timeoutMs, ifVersion: condition.version };
}
