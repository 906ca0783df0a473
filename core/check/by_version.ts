import { classify } from "./classify.ts";
import { describe, type KeyOperation, LINEARIZABLE, type Verdict, type Violation } from "./history.ts";
import { readVersions } from "./versions.ts";
import { Walk } from "./walk.ts";

/** Of one key; enough to show what is wrong with it. */
const VIOLATIONS_MAX = 100;
/** The walk has one bit of a 32-bit integer for each pending operation. */
const PENDING_MAX = 31;

/**
 * Linearizability of one key when every reply carries the version: near-linear in the length of the history.
 *
 * It is Lowe's just-in-time linearization ("Testing for linearizability", 2017): walk through calls and returns in
 * their order and keep the set of configurations (state, pending operations already placed) that explain all returns
 * so far; only a return makes operations be placed. What keeps that set small, and why nothing is lost by it:
 *
 * 1. *Versions give the order of writes.* Writes whose version somebody was told are placed in the order of versions
 *    and no other, so a configuration names only how many of them are placed.
 * 2. *Reads are placed at once.* A pending answer that changes nothing and fits the present state is placed as soon as
 *    the state comes up: it leaves the state as it is, and having it placed only removes an obligation.
 * 3. *Unseen writes are counted.* A write of unknown outcome whose version nobody saw has no return and no mark of its
 *    own: all such writes of one class (put or delete, and the condition) that have been called are interchangeable. A
 *    configuration counts how many of a class it used. An unseen put is only of use where there is no value (over a
 *    value, it would only forbid what was allowed before), a delete only where there is one. Where a conditional
 *    one fits, it is used before an unconditional one, which could do everything the other can do later.
 * 4. *Dominated configurations go.* Of two in the same state, the one that placed no less and used no more of every
 *    class can do whatever the other can.
 *
 * A version that is known from a condition alone belongs to some unseen put and uses one up when its turn in the order
 * comes. Its turn may be left out where only writes of unknown outcome named it.
 *
 * Up to the first violation this is exact. To count and classify further ones, the walk goes on as if the operation had
 * not been asked for, or, for a write, from the state that its answer claims.
 */
export function checkByVersion(history: readonly KeyOperation[], configurationsMax = 20_000): Verdict {
  const versions = readVersions(history);
  const violations = [...versions.violations];
  const walk = new Walk(versions.writes);
  for (const { kind, operation } of eventsOf(versions.operations, versions.unseen)) {
    if (kind === "unseen") walk.unseenCalled(operation);
    else if (kind === "call") walk.called(operation);
    else if (!walk.returned(operation)) {
      violations.push(classify(operation, versions));
      walk.resume(operation);
    }
    if (violations.length >= VIOLATIONS_MAX) break;
    const { length } = walk.configurations;
    if (length <= configurationsMax && walk.pendingMax <= PENDING_MAX) continue;
    if (violations.length > 0) break;
    const reason = length > configurationsMax
      ? `more than ${configurationsMax} possibilities at ${describe(operation)}`
      : `more than ${PENDING_MAX} operations at once at ${describe(operation)}`;
    return { kind: "gave-up", reason };
  }
  return verdict(violations);
}

function verdict(violations: readonly Violation[]): Verdict {
  const [first] = violations;
  if (first === undefined) return LINEARIZABLE;
  const operations = first.operations.map((operation) => `\n  ${describe(operation)}`).join("");
  return { kind: "violation", reason: `${first.kind}: ${first.reason}${operations}`, violations };
}

interface Event {
  readonly kind: "call" | "return" | "unseen";
  readonly at: number;
  readonly operation: KeyOperation;
}

/** In order of time; at the same time calls come first, because operations that touch overlap. */
function eventsOf(history: readonly KeyOperation[], unseen: ReadonlySet<KeyOperation>): Event[] {
  const events: Event[] = [];
  for (const operation of history) {
    const { request, answer, callAt, returnAt } = operation;
    if (unseen.has(operation)) events.push({ kind: "unseen", at: callAt, operation });
    else if (answer.kind === "failed" || (answer.kind === "unknown" && request.kind === "get")) continue;
    else {
      events.push({ kind: "call", at: callAt, operation });
      if (answer.kind !== "unknown") events.push({ kind: "return", at: returnAt, operation });
    }
  }
  return events.sort((a, b) => a.at - b.at || Number(a.kind === "return") - Number(b.kind === "return"));
}
