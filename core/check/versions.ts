import { describe, type KeyOperation, type Verdict } from "./history.ts";

/** A write whose version somebody was told. */
export interface VersionedWrite {
  readonly version: number;
  readonly deletes: boolean;
  /** Undefined: only conditions name the version; some write of unknown outcome made it. */
  readonly operation: KeyOperation | undefined;
  /** Nobody was told that there ever was such a version. */
  readonly optional: boolean;
}

export interface Versions {
  readonly kind: "versions";
  /** In order of version. */
  readonly writes: readonly VersionedWrite[];
  /** Writes of unknown outcome that no answer can be traced to. */
  readonly unseen: ReadonlySet<KeyOperation>;
}

/**
 * Finds the version of each write, from its own answer or from a get that saw its value (values are unique). Detects
 * by itself: values that nobody wrote or whose write had failed, two versions of one write, two writes of one version.
 */
export function readVersions(
  history: readonly KeyOperation[],
): Versions | Extract<Verdict, { kind: "violation" }> {
  const writers = new Map<string, KeyOperation>();
  const versionOf = new Map<KeyOperation, number>();
  for (const operation of history) {
    const { request, answer } = operation;
    if (request.kind === "put") writers.set(request.value, operation);
    if (answer.kind === "written") versionOf.set(operation, answer.version);
  }
  for (const operation of history) {
    const { answer } = operation;
    if (answer.kind !== "value") continue;
    const writer = writers.get(answer.value);
    if (writer === undefined) return wrong("nobody wrote this value", operation);
    if (writer.answer.kind !== "unknown" && writer.answer.kind !== "written") {
      return wrong(`a write that had no effect is seen: ${describe(writer)}`, operation);
    }
    const known = versionOf.get(writer);
    if (known !== undefined && known !== answer.version) {
      return wrong(`its write has version ${known}`, operation);
    }
    versionOf.set(writer, answer.version);
  }
  return inOrder(history, versionOf);
}

function inOrder(
  history: readonly KeyOperation[],
  versionOf: ReadonlyMap<KeyOperation, number>,
): Versions | Extract<Verdict, { kind: "violation" }> {
  const writes = new Map<number, VersionedWrite>();
  for (const [operation, version] of versionOf) {
    const other = writes.get(version)?.operation;
    if (other !== undefined) return wrong(`the same version as ${describe(other)}`, operation);
    writes.set(version, {
      version,
      deletes: operation.request.kind === "delete",
      operation,
      optional: false,
    });
  }
  const named = (version: number, optional: boolean) => {
    if (version === 0 || (writes.has(version) && (optional || !writes.get(version)!.optional))) return;
    writes.set(version, { version, deletes: false, operation: undefined, optional });
  };
  for (const { answer, request } of history) {
    if (answer.kind === "condition-failed") named(answer.version, false);
    if (request.kind === "get" || request.condition?.kind !== "version") continue;
    if (answer.kind === "written") named(request.condition.version, false);
    if (answer.kind === "unknown") named(request.condition.version, true);
  }
  const unseen = history.filter((operation) =>
    operation.answer.kind === "unknown" && operation.request.kind !== "get" && !versionOf.has(operation)
  );
  return {
    kind: "versions",
    writes: [...writes.values()].sort((a, b) => a.version - b.version),
    unseen: new Set(unseen),
  };
}

function wrong(reason: string, operation: KeyOperation): Extract<Verdict, { kind: "violation" }> {
  return { kind: "violation", reason: `${describe(operation)}: ${reason}`, operation };
}
