/** Which operations a load is made of. */

import type { Condition, Request } from "../../../core/check/history.ts";
import type { OperationKind } from "../../../core/check/verdict.ts";
import { didYouMean } from "../../../core/platform/suggest.ts";
import type { Random } from "../../../core/platform/ports.ts";
import { UsageError } from "../../framework/command.ts";

export const KINDS: readonly OperationKind[] = ["get", "put", "delete", "put-if", "delete-if"];

/** Weights of the kinds. */
export type Mix = Readonly<Record<OperationKind, number>>;

export const DEFAULT_MIX = "get=40,put=30,delete=8,put-if=16,delete-if=6";

/** Reads `get=50,put=50`: weights; kinds that are not named do not occur. */
export function parseMix(text: string): Mix {
  const mix: Record<OperationKind, number> = { "get": 0, "put": 0, "delete": 0, "put-if": 0, "delete-if": 0 };
  for (const part of text.split(",")) {
    const [, name, weight] = part.match(/^([a-z-]+)=(\d+)$/) ?? [];
    if (name === undefined) {
      throw new UsageError(`--mix ${text}: "${part}" is not KIND=WEIGHT, such as get=40`);
    }
    const kind = KINDS.find((each) => each === name);
    if (kind === undefined) {
      throw new UsageError(
        `--mix: unknown kind "${name}"${didYouMean(name, KINDS)}: there are ${KINDS.join(", ")}`,
      );
    }
    mix[kind] = Number(weight);
  }
  if (KINDS.every((kind) => mix[kind] === 0)) throw new UsageError(`--mix ${text}: all weights are 0`);
  return mix;
}

/** Draws a request. `value` is written by puts; `version` is the last that was told of the key, 0 for none. */
export function drawRequest(mix: Mix, random: Random, value: () => string, version: number): Request {
  let at = random.number() * KINDS.reduce((sum, kind) => sum + mix[kind], 0);
  const kind = KINDS.find((each) => (at -= mix[each]) < 0) ?? "get";
  if (kind === "get") return { kind };
  const condition = kind.endsWith("-if") ? drawCondition(random, version) : undefined;
  return kind.startsWith("put") ? { kind: "put", value: value(), condition } : { kind: "delete", condition };
}

/** Mostly one that holds if nobody wrote meanwhile. */
function drawCondition(random: Random, version: number): Condition {
  if (version === 0 || random.number() < 0.2) return { kind: "absent" };
  return { kind: "version", version };
}
