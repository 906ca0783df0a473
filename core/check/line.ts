import { KvError, messageOf } from "../platform/errors.ts";
import type { Answer, Condition, Request } from "./history.ts";
import type { OperationRecord } from "./records.ts";

/**
 * One operation of a kept history, as one line of JSON:
 *
 * ```
 * {"client":"c3","key":"check-6f1c-12","request":"put","value":"811","ifVersion":77,
 *  "answer":"written","version":80,"existed":true,"epoch":2,"callUs":1200417,"returnUs":1201020}
 * ```
 *
 * `request` is get, put or delete, `value` what a put writes or a get found, `ifAbsent` (true) or `ifVersion` the
 * condition of a write. `answer` is value or absent (get), written (`existed`: there was a value before), absent (delete of
 * nothing), condition-failed (`version` is the present one, 0 for no value), unknown (it may have happened, once, at any
 * time after the call) or failed (it has not and will not); the last two with the code of the `error`.
 */
interface Line {
  readonly client: string;
  readonly key: string;
  readonly request: Request["kind"];
  readonly value?: string;
  readonly ifAbsent?: true;
  readonly ifVersion?: number;
  readonly answer: Answer["kind"];
  readonly version?: number;
  readonly existed?: boolean;
  readonly epoch?: number;
  readonly error?: string;
  readonly callUs: number;
  readonly returnUs: number;
}

/** The line, with its end. */
export function lineOf(
  { client, key, request, answer, epoch, error, callUs, returnUs }: OperationRecord,
): string {
  const condition = request.kind === "get" ? undefined : request.condition;
  const line: Line = {
    client,
    key,
    request: request.kind,
    ...(request.kind === "put" ? { value: request.value } : {}),
    ...(condition?.kind === "absent" ? { ifAbsent: true } : {}),
    ...(condition?.kind === "version" ? { ifVersion: condition.version } : {}),
    answer: answer.kind,
    ...(answer.kind === "value" ? { value: answer.value } : {}),
    ...("version" in answer ? { version: answer.version } : {}),
    ...(answer.kind === "written" ? { existed: answer.existed } : {}),
    ...(epoch === undefined ? {} : { epoch }),
    ...(error === undefined ? {} : { error }),
    callUs,
    returnUs,
  };
  return JSON.stringify(line) + "\n";
}

/** The operation of a line; `invalid` for one that makes no sense, with `place` in its message. */
export function recordOf(text: string, place: string): OperationRecord {
  try {
    const parsed: unknown = JSON.parse(text);
    if (typeof parsed !== "object" || parsed === null) throw new Error("no JSON object");
    return new LineReader(parsed as Readonly<Record<string, unknown>>).record();
  } catch (error) {
    throw new KvError("invalid", `${place} is no operation of a history: ${messageOf(error)}`, {}, {
      cause: error,
    });
  }
}

class LineReader {
  constructor(readonly line: Readonly<Record<string, unknown>>) {}

  record(): OperationRecord {
    const { epoch, error } = this.line;
    const callUs = this.#number("callUs");
    const returnUs = this.#number("returnUs");
    if (returnUs < callUs) throw new Error("returnUs is before callUs");
    return {
      client: this.#text("client"),
      key: this.#text("key"),
      request: this.#request(),
      answer: this.#answer(),
      epoch: epoch === undefined ? undefined : this.#number("epoch"),
      error: error === undefined ? undefined : this.#text("error"),
      callUs,
      returnUs,
    };
  }

  #request(): Request {
    const kind = this.#text("request");
    if (kind === "get") return { kind };
    if (kind === "put") return { kind, value: this.#text("value"), condition: this.#condition() };
    if (kind === "delete") return { kind, condition: this.#condition() };
    throw new Error(`request "${kind}" is none of get, put, delete`);
  }

  #condition(): Condition | undefined {
    if (this.line.ifAbsent === true) return { kind: "absent" };
    return this.line.ifVersion === undefined
      ? undefined
      : { kind: "version", version: this.#number("ifVersion") };
  }

  #answer(): Answer {
    const kind = this.#text("answer");
    const { request, ifAbsent, ifVersion, existed } = this.line;
    const isGet = request === "get";
    const fits = {
      "value": isGet,
      "absent": request !== "put",
      "written": !isGet,
      "condition-failed": !isGet && (ifAbsent === true || ifVersion !== undefined),
      "unknown": true,
      "failed": true,
    };
    if (!Object.hasOwn(fits, kind)) {
      throw new Error(`answer "${kind}" is none of ${Object.keys(fits).join(", ")}`);
    }
    if (!fits[kind as Answer["kind"]]) {
      throw new Error(`a ${request} without condition has no answer "${kind}"`);
    }
    if (kind === "value") return { kind, value: this.#text("value"), version: this.#number("version") };
    if (kind === "written") return { kind, version: this.#number("version"), existed: existed === true };
    if (kind === "condition-failed") return { kind, version: this.#number("version") };
    return { kind: kind as "absent" | "unknown" | "failed" };
  }

  #text(name: string): string {
    const value = this.line[name];
    if (typeof value !== "string") throw new Error(`"${name}" is not a text`);
    return value;
  }

  #number(name: string): number {
    const value = this.line[name];
    if (typeof value !== "number" || !Number.isFinite(value) || value < 0) {
      throw new Error(`"${name}" is not a number from 0 on`);
    }
    return value;
  }
}
