import { conditionText, type KeyOperation, type Violation, type ViolationKind } from "./history.ts";
import type { VersionedWrite, Versions } from "./versions.ts";

/**
 * What kind of violation an answer is that no order of the operations explains. That it is one has been proved before;
 * the kind is read off the newest write that had been answered, or seen, before the call: what should have been there.
 */
export function classify(operation: KeyOperation, versions: Versions): Violation {
  const expected = newestBefore(operation, versions);
  const { kind, culprit = operation, reason, shownBy } = operation.answer.kind === "written"
    ? ofWrite(operation, operation.answer, expected, versions)
    : ofObserver(operation, expected, versions);
  const shown = [operation, culprit, expected?.operation, shownBy].filter((each) => each !== undefined);
  return { kind, culprit, reason, operations: [...new Set(shown)].sort((a, b) => a.callAt - b.callAt) };
}

interface Finding {
  readonly kind: ViolationKind;
  readonly reason: string;
  /** Undefined: the operation itself. */
  readonly culprit?: KeyOperation | undefined;
  /** A further operation that shows it. */
  readonly shownBy?: KeyOperation | undefined;
}

const UNEXPLAINED: Finding = {
  kind: "other",
  reason: "no order of the operations explains the last of these",
};

/** An answer that tells the state and changes nothing. */
function ofObserver(
  operation: KeyOperation,
  expected: VersionedWrite | undefined,
  versions: Versions,
): Finding {
  const { request } = operation;
  const seen = told(operation)!;
  const put = versions.writes.find(({ version }) => version === seen);
  if (request.kind === "put" && put !== undefined && put.operation === undefined) {
    const reason =
      `nothing else explains version ${seen}: the put took effect before its condition was false`;
    return { kind: "duplicated", reason };
  }
  if (expected === undefined || (seen === 0 ? expected.deletes : seen > expected.version)) return UNEXPLAINED;
  if (seen === expected.version) return seenAfterGone(operation, expected, versions);
  const what = `${expected.deletes ? "the delete" : "the write"} of version ${expected.version}`;
  const fate = fateOf(expected, operation, versions.operations);
  if (request.kind === "delete" && seen === 0 && fate !== "kept") {
    const reason =
      `nothing else explains that ${what} is gone: the delete took effect before it found nothing`;
    return { kind: "duplicated", reason };
  }
  return fate === "gone"
    ? { kind: "lost", reason: `${what} was acknowledged or seen, and is gone`, culprit: expected.operation }
    : { kind: "stale", reason: `${what} was acknowledged or seen before` };
}

function seenAfterGone(operation: KeyOperation, expected: VersionedWrite, { operations }: Versions): Finding {
  const writtenAt = expected.operation?.returnAt ?? 0;
  const shownBy = operations.find((other) =>
    told(other) === 0 && other.callAt > writtenAt && other.returnAt < operation.callAt
  );
  if (shownBy === undefined) return UNEXPLAINED;
  return { kind: "stale", reason: "the key was without a value before", shownBy };
}

/** A write that took effect. */
function ofWrite(
  { request, returnAt }: KeyOperation,
  { version, existed }: { readonly version: number; readonly existed: boolean },
  expected: VersionedWrite | undefined,
  versions: Versions,
): Finding {
  const later = versions.writes.find((write) =>
    write.version < version && write.operation !== undefined && write.operation.callAt > returnAt
  );
  if (later?.operation !== undefined) {
    const reason = `a write that was called later has the lower version ${later.version}`;
    // All from here to the newest are lost; it stands for them.
    const culprit = newestBefore(later.operation, versions)?.operation;
    return { kind: "lost", reason, culprit, shownBy: later.operation };
  }
  if (expected === undefined || expected.deletes) {
    if (!existed) return UNEXPLAINED;
    return request.kind === "put"
      ? { kind: "duplicated", reason: "nothing but the put itself explains the value that it met" }
      : { kind: "lost", reason: "a delete met a value where none was left", culprit: expected?.operation };
  }
  const lost = (how: string): Finding => {
    const reason = `the write of version ${expected.version} was acknowledged or seen, and ${how}`;
    return { kind: "lost", reason, culprit: expected.operation };
  };
  if (expected.version > version) return lost("a write that was called later has a lower version");
  if (!existed) return lost("a later write found nothing");
  const condition = conditionText(request);
  return condition === "" ? UNEXPLAINED : lost(`a later write found its condition true:${condition}`);
}

/** The write of the highest version that an operation told of which had returned before the call. */
function newestBefore(
  { callAt }: KeyOperation,
  { operations, writes }: Versions,
): VersionedWrite | undefined {
  let newest = 0;
  for (const operation of operations) {
    if (operation.returnAt < callAt) newest = Math.max(newest, told(operation) ?? 0);
  }
  return writes.findLast(({ version }) => version <= newest);
}

/** The version that the answer tells of, 0 for "no value"; undefined when it tells of nothing. */
function told({ answer }: KeyOperation): number | undefined {
  if (answer.kind === "absent") return 0;
  return "version" in answer ? answer.version : undefined;
}

/**
 * Whether later answers, up to the next write, show a write that one answer missed. "gone": none does, and another answer
 * misses it too, or the next write was decided without it, or there are none.
 */
function fateOf(
  write: VersionedWrite,
  missedBy: KeyOperation,
  operations: readonly KeyOperation[],
): "kept" | "gone" | "unclear" {
  const state = write.deletes ? 0 : write.version;
  const existenceTells = (told(missedBy) === 0) !== write.deletes;
  const writtenAt = write.operation?.returnAt ?? 0;
  let missedTwice = false;
  for (const operation of operations.toSorted((a, b) => a.callAt - b.callAt)) {
    const { answer, callAt, returnAt } = operation;
    const later = callAt > missedBy.returnAt;
    if (!later && (callAt <= writtenAt || returnAt >= missedBy.callAt)) continue;
    if (later && answer.kind === "written") {
      if (!existenceTells) return missedTwice ? "gone" : "unclear";
      return answer.existed === !write.deletes ? "kept" : "gone";
    }
    const seen = told(operation);
    if (later && seen === state) return "kept";
    if (seen !== undefined && answer.kind !== "written") missedTwice = seen !== state;
  }
  return "gone";
}
