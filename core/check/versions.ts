import { KvError } from "../platform/errors.ts";
import { describe, type KeyOperation, type Violation, type ViolationKind } from "./history.ts";

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
  /** In order of version. */
  readonly writes: readonly VersionedWrite[];
  /** Writes of unknown outcome that no answer can be traced to. */
  readonly unseen: ReadonlySet<KeyOperation>;
  /** Answers that contradict the versions of others. */
  readonly violations: readonly Violation[];
  /** All operations but those that the violations are about. */
  readonly operations: readonly KeyOperation[];
}

/**
 * Finds the version of each write, from its own answer or from a get that saw its value. Detects by itself: values that
 * nobody wrote or whose write had no effect, two versions of one write, two writes of one version. Throws `invalid` when
 * two puts write the same value.
 */
export function readVersions(history: readonly KeyOperation[]): Versions {
  const reading = new Reading(history);
  history.forEach((operation) => reading.readValue(operation));
  const bad = reading.bad;
  const operations = bad.size === 0 ? history : history.filter((operation) => !bad.has(operation));
  const unseen = operations.filter((operation) =>
    operation.answer.kind === "unknown" && operation.request.kind !== "get" &&
    !reading.versionOf.has(operation)
  );
  return {
    writes: reading.inOrder(operations),
    unseen: new Set(unseen),
    violations: reading.violations,
    operations,
  };
}

class Reading {
  readonly writers = new Map<string, KeyOperation>();
  readonly versionOf = new Map<KeyOperation, number>();
  readonly byVersion = new Map<number, KeyOperation>();
  readonly violations: Violation[] = [];
  readonly bad = new Set<KeyOperation>();

  constructor(history: readonly KeyOperation[]) {
    for (const operation of history) {
      const { request, answer } = operation;
      if (request.kind === "put") {
        const other = this.writers.get(request.value);
        if (other !== undefined) {
          throw new KvError(
            "invalid",
            `two puts of one value: ${describe(other)} and ${describe(operation)}`,
          );
        }
        this.writers.set(request.value, operation);
      }
      if (answer.kind === "written") this.#give(operation, answer.version);
    }
  }

  readValue(operation: KeyOperation): void {
    const { answer } = operation;
    if (answer.kind !== "value") return;
    const writer = this.writers.get(answer.value);
    if (writer === undefined) return this.#wrong("other", operation, "nobody wrote this value");
    if (this.bad.has(writer)) return void this.bad.add(operation);
    if (writer.answer.kind === "condition-failed") {
      const reason =
        "the write is seen, though a second execution of it answered that its condition was false";
      return this.#wrong("duplicated", writer, reason, operation);
    }
    if (writer.answer.kind !== "unknown" && writer.answer.kind !== "written") {
      return this.#wrong("other", operation, "a write is seen that had failed", writer);
    }
    const known = this.versionOf.get(writer);
    if (known !== undefined && known !== answer.version) {
      const reason = `the write took effect at version ${known} and again at version ${answer.version}`;
      return this.#wrong("duplicated", writer, reason, operation);
    }
    if (known === undefined) this.#give(writer, answer.version);
  }

  /** The versioned writes, also those that only conditions tell of, in order. */
  inOrder(operations: readonly KeyOperation[]): VersionedWrite[] {
    const writes = new Map<number, VersionedWrite>();
    for (const [version, operation] of this.byVersion) {
      const deletes = operation.request.kind === "delete";
      writes.set(version, { version, deletes, operation, optional: false });
    }
    const named = (version: number, optional: boolean) => {
      if (version === 0 || (writes.has(version) && (optional || !writes.get(version)!.optional))) return;
      writes.set(version, { version, deletes: false, operation: undefined, optional });
    };
    for (const { answer, request } of operations) {
      if (answer.kind === "condition-failed") named(answer.version, false);
      if (request.kind === "get" || request.condition?.kind !== "version") continue;
      if (answer.kind === "written") named(request.condition.version, false);
      if (answer.kind === "unknown") named(request.condition.version, true);
    }
    return [...writes.values()].sort((a, b) => a.version - b.version);
  }

  #give(operation: KeyOperation, version: number): void {
    const other = this.byVersion.get(version);
    this.versionOf.set(operation, version);
    this.byVersion.set(version, operation);
    if (other === undefined) return;
    // Two owners, or one whose log was cut, gave one place to two writes: only one of them can be there.
    const both = other.answer.kind === "written" && operation.answer.kind === "written";
    this.#wrong(both ? "lost" : "other", other, "two writes have the same version", operation);
    this.bad.add(other);
  }

  #wrong(kind: ViolationKind, culprit: KeyOperation, reason: string, shownBy?: KeyOperation): void {
    const operations = shownBy === undefined ? [culprit] : [culprit, shownBy];
    operations.sort((a, b) => a.callAt - b.callAt);
    this.violations.push({ kind, culprit, reason, operations });
    // What is left out is the answer that cannot be; the write that it contradicts stays.
    this.bad.add(shownBy?.answer.kind === "value" ? shownBy : culprit);
  }
}
