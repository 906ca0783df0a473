/** Planted violations of each kind: that they are found, what they are called, and who is named. */

import { assert, assertEquals } from "@std/assert";
import { checkByVersion } from "../../core/check/by_version.ts";
import { checkGeneral } from "../../core/check/general.ts";
import { describe, type KeyOperation, type ViolationKind } from "../../core/check/history.ts";
import {
  absent,
  conditionFailed,
  failed,
  get,
  op,
  put,
  remove,
  saw,
  unknown,
  written,
} from "./check_operations.ts";

interface Planted {
  readonly name: string;
  readonly kind: ViolationKind;
  /** Place of the culprit in the history. */
  readonly culprit: number;
  readonly history: readonly KeyOperation[];
}

const PLANTED: readonly Planted[] = [
  {
    name: "the last acknowledged write is not there at the end",
    kind: "lost",
    culprit: 0,
    history: [op(1, 2, put("a"), written(1, false)), op(3, 4, get, absent)],
  },
  {
    name: "an acknowledged overwrite is not there at the end",
    kind: "lost",
    culprit: 1,
    history: [
      op(1, 2, put("a"), written(1, false)),
      op(3, 4, put("b"), written(2, true)),
      op(5, 6, get, saw("a", 1)),
      op(7, 8, get, saw("a", 1)),
    ],
  },
  {
    name: "an acknowledged delete is not there at the end",
    kind: "lost",
    culprit: 1,
    history: [
      op(1, 2, put("a"), written(1, false)),
      op(3, 4, remove(), written(2, true)),
      op(5, 6, get, saw("a", 1)),
    ],
  },
  {
    name: "a write that only a get knew of is gone",
    kind: "lost",
    culprit: 0,
    history: [op(1, 2, put("a"), unknown), op(3, 4, get, saw("a", 1)), op(5, 6, get, absent)],
  },
  {
    name: "a later write finds nothing",
    kind: "lost",
    culprit: 0,
    history: [op(1, 2, put("a"), written(1, false)), op(3, 4, put("b"), written(2, false))],
  },
  {
    name: "a write replaced by one whose condition names its predecessor",
    kind: "lost",
    culprit: 1,
    history: [
      op(1, 2, put("a"), written(1, false)),
      op(3, 4, put("b"), written(2, true)),
      op(5, 6, put("c", { kind: "version", version: 1 }), written(3, true)),
    ],
  },
  {
    name: "versions go backwards: the log was cut",
    kind: "lost",
    culprit: 0,
    history: [op(1, 2, put("a"), written(5, false)), op(3, 4, put("b"), written(4, true))],
  },
  {
    name: "two acknowledged writes at one place of the log",
    kind: "lost",
    culprit: 0,
    history: [
      op(1, 2, put("a"), written(1, false)),
      op(3, 4, put("b"), written(1, false)),
      op(5, 6, get, saw("b", 1)),
    ],
  },
  {
    name: "a retry applied after another write",
    kind: "duplicated",
    culprit: 0,
    history: [
      op(1, 2, put("a"), written(1, false)),
      op(3, 4, put("b"), written(2, true)),
      op(5, 6, get, saw("a", 3)),
    ],
  },
  {
    name: "a write of unknown outcome applied twice",
    kind: "duplicated",
    culprit: 0,
    history: [
      op(1, 2, put("a"), unknown),
      op(3, 4, get, saw("a", 1)),
      op(5, 6, remove(), written(2, true)),
      op(7, 8, get, saw("a", 3)),
    ],
  },
  {
    name: "a put answered as an update of itself",
    kind: "duplicated",
    culprit: 0,
    history: [op(1, 2, put("a"), written(2, true)), op(3, 4, get, saw("a", 2))],
  },
  {
    name: "a conditional put that fails because of itself",
    kind: "duplicated",
    culprit: 0,
    history: [op(1, 2, put("a", { kind: "absent" }), conditionFailed(1)), op(3, 4, get, saw("a", 1))],
  },
  {
    name: "a conditional put that fails because of itself, never seen",
    kind: "duplicated",
    culprit: 1,
    history: [
      op(1, 2, put("a"), written(1, false)),
      op(3, 4, put("b", { kind: "version", version: 1 }), conditionFailed(2)),
    ],
  },
  {
    name: "a delete that finds nothing because of itself",
    kind: "duplicated",
    culprit: 1,
    history: [
      op(1, 2, put("a"), written(1, false)),
      op(3, 4, remove(), absent),
      op(5, 6, get, absent),
    ],
  },
  {
    name: "an old value, then the present one",
    kind: "stale",
    culprit: 2,
    history: [
      op(1, 2, put("a"), written(1, false)),
      op(3, 4, put("b"), written(2, true)),
      op(5, 6, get, saw("a", 1)),
      op(7, 8, get, saw("b", 2)),
    ],
  },
  {
    name: "nothing, then the value",
    kind: "stale",
    culprit: 1,
    history: [
      op(1, 2, put("a"), written(1, false)),
      op(3, 4, get, absent),
      op(5, 6, get, saw("a", 1)),
    ],
  },
  {
    name: "deleted, then seen, then gone",
    kind: "stale",
    culprit: 2,
    history: [
      op(1, 2, put("a"), written(1, false)),
      op(3, 4, remove(), written(2, true)),
      op(5, 6, get, saw("a", 1)),
      op(7, 8, get, absent),
    ],
  },
  {
    name: "seen to be deleted by a delete of unknown outcome, then seen",
    kind: "stale",
    culprit: 3,
    history: [
      op(1, 2, put("a"), written(1, false)),
      op(3, 4, remove(), unknown),
      op(5, 6, get, absent),
      op(7, 8, get, saw("a", 1)),
    ],
  },
  {
    name: "the new value, then the old one, while the write is on its way",
    kind: "stale",
    culprit: 3,
    history: [
      op(1, 2, put("a"), written(1, false)),
      op(3, 9, put("b"), written(2, true)),
      op(4, 5, get, saw("b", 2)),
      op(6, 7, get, saw("a", 1)),
      op(10, 11, get, saw("b", 2)),
    ],
  },
  {
    name: "an old version in a failed condition",
    kind: "stale",
    culprit: 2,
    history: [
      op(1, 2, put("a"), written(1, false)),
      op(3, 4, put("b"), written(2, true)),
      op(5, 6, put("c", { kind: "absent" }), conditionFailed(1)),
      op(7, 8, get, saw("b", 2)),
    ],
  },
  {
    name: "a read of a write that had failed",
    kind: "other",
    culprit: 1,
    history: [op(1, 2, put("a"), failed), op(3, 4, get, saw("a", 1))],
  },
  {
    name: "a failed delete that happened",
    kind: "lost",
    culprit: 0,
    history: [op(1, 2, put("a"), written(1, false)), op(3, 4, remove(), failed), op(5, 6, get, absent)],
  },
  {
    name: "a value that nobody wrote",
    kind: "other",
    culprit: 0,
    history: [op(1, 2, get, saw("a", 1))],
  },
  {
    name: "a value before it was written",
    kind: "other",
    culprit: 0,
    history: [op(1, 2, get, saw("a", 1)), op(3, 4, put("a"), written(1, false))],
  },
  {
    name: "a condition that was true and refused",
    kind: "other",
    culprit: 1,
    history: [
      op(1, 2, put("a"), written(1, false)),
      op(3, 4, put("b", { kind: "version", version: 1 }), conditionFailed(1)),
    ],
  },
];

for (const { name, kind, culprit, history } of PLANTED) {
  Deno.test(`violations: ${name}: ${kind}`, () => {
    const verdict = checkByVersion(history);
    assert(verdict.kind === "violation", verdict.kind);
    assertEquals(checkGeneral(history).kind, "violation");
    const [first] = verdict.violations;
    assertEquals(
      [first!.kind, describe(first!.culprit)],
      [kind, describe(history[culprit]!)],
      verdict.reason,
    );
    assert(first!.operations.includes(first!.culprit), verdict.reason);
  });
}

/** How often each kind stands in the verdict; lost and duplicated writes once, however many answers show it. */
function counts(history: readonly KeyOperation[]): Partial<Record<ViolationKind, number>> {
  const verdict = checkByVersion(history);
  if (verdict.kind !== "violation") return {};
  const counted: Partial<Record<ViolationKind, number>> = {};
  const seen = new Set<string>();
  for (const { kind, culprit } of verdict.violations) {
    const mark = `${kind} ${describe(culprit)}`;
    if (!seen.has(mark)) counted[kind] = (counted[kind] ?? 0) + 1;
    seen.add(mark);
  }
  return counted;
}

/** `rounds` times: put, get, all in order. */
function orderly(fromTime: number, firstVersion: number, rounds: number, over: boolean): KeyOperation[] {
  return Array.from({ length: rounds }, (_, i) => {
    const at = fromTime + 4 * i;
    const version = firstVersion + i;
    return [
      op(at, at + 1, put(`v${version}`), written(version, over || i > 0)),
      op(at + 2, at + 3, get, saw(`v${version}`, version)),
    ];
  }).flat();
}

Deno.test("violations: one fault in a long history is counted once, whatever follows", () => {
  const before = orderly(0, 1, 50, false);
  const after = (firstVersion: number) => orderly(1000, firstVersion, 50, true);
  const lost = [...before, op(500, 501, get, saw("v49", 49)), op(502, 503, get, saw("v49", 49))];
  assertEquals(counts([...lost, ...after(60)]), { lost: 1 }, "an overwrite is lost");
  const cut = [op(500, 501, put("b", { kind: "version", version: 40 }), written(41.5, true))];
  assertEquals(counts([...before, ...cut, ...after(60)]), { lost: 1 }, "the log was cut to version 41");
  const stale = [1, 2, 3].map((i) => op(500 + 2 * i, 501 + 2 * i, get, saw(`v${40 + i}`, 40 + i)));
  assertEquals(counts([...before, ...stale, op(510, 511, get, saw("v50", 50)), ...after(60)]), { stale: 3 });
  const doubled = [op(500, 501, get, saw("v50", 55)), op(502, 503, get, saw("v50", 55))];
  assertEquals(counts([...before, ...doubled, ...after(60)]), { duplicated: 1 });
});

Deno.test("violations: a write of unknown outcome may happen at any later time, or never", () => {
  const base = [op(1, 2, put("a"), written(1, false)), op(3, 4, put("b"), unknown)];
  const sawOld = op(5, 6, get, saw("a", 1));
  const sawNew = op(7, 8, get, saw("b", 2));
  for (
    const good of [
      [...base, sawOld],
      [...base, sawOld, op(7, 8, get, saw("a", 1))],
      [...base, sawOld, sawNew],
      [...base, sawOld, op(7, 8, put("c"), written(3, true)), op(9, 10, get, saw("b", 4))],
      [...base, op(5, 6, remove(), written(2, true)), op(7, 8, put("c"), written(4, true))],
      [...base, op(5, 6, put("c", { kind: "absent" }), conditionFailed(9))],
      [op(1, 2, remove(), unknown), op(3, 4, put("a"), written(1, false)), op(5, 6, get, absent)],
    ]
  ) {
    assertEquals(checkByVersion(good).kind, "linearizable", good.map(describe).join("\n"));
    assertEquals(checkGeneral(good).kind, "linearizable");
  }
  assertEquals(counts([...base, sawNew, op(9, 10, get, saw("a", 1))]), { lost: 1 });
});

Deno.test("violations: operations that touch in time overlap", () => {
  const touching = [op(1, 2, put("a"), written(1, false)), op(2, 3, get, absent)];
  assertEquals(checkByVersion(touching).kind, "linearizable");
  assertEquals(checkGeneral(touching).kind, "linearizable");
});
