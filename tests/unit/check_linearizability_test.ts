import { assert, assertEquals } from "@std/assert";
import { checkByVersion } from "../../core/check/by_version.ts";
import { checkGeneral } from "../../core/check/general.ts";
import {
  type Answer,
  type Condition,
  describe,
  type KeyOperation,
  type Request,
} from "../../core/check/history.ts";
import { absent, conditionFailed, get, op, put, remove, saw, unknown, written } from "./check_operations.ts";
import { SeededRandom } from "../sim/world/random.ts";

interface Case {
  readonly name: string;
  readonly good: boolean;
  readonly history: readonly KeyOperation[];
}

const CASES: readonly Case[] = [
  { name: "nothing", good: true, history: [] },
  { name: "a read of nothing", good: true, history: [op(1, 2, get, absent)] },
  {
    name: "write, then read",
    good: true,
    history: [op(1, 2, put("a"), written(1, false)), op(3, 4, get, saw("a", 1))],
  },
  {
    name: "a lost write",
    good: false,
    history: [op(1, 2, put("a"), written(1, false)), op(3, 4, get, absent)],
  },
  {
    name: "a stale read",
    good: false,
    history: [
      op(1, 2, put("a"), written(1, false)),
      op(3, 4, put("b"), written(2, true)),
      op(5, 6, get, saw("a", 1)),
    ],
  },
  {
    name: "an old value while the new one is being written",
    good: true,
    history: [
      op(1, 2, put("a"), written(1, false)),
      op(3, 9, put("b"), written(2, true)),
      op(4, 5, get, saw("a", 1)),
      op(6, 7, get, saw("b", 2)),
    ],
  },
  {
    name: "new value, then the old one again",
    good: false,
    history: [
      op(1, 2, put("a"), written(1, false)),
      op(3, 9, put("b"), written(2, true)),
      op(4, 5, get, saw("b", 2)),
      op(6, 7, get, saw("a", 1)),
    ],
  },
  {
    name: "a write of unknown outcome that happened late",
    good: true,
    history: [
      op(1, 2, put("a"), unknown),
      op(3, 4, get, absent),
      op(5, 6, get, saw("a", 1)),
    ],
  },
  {
    name: "a write of unknown outcome that happened twice",
    good: false,
    history: [
      op(1, 2, put("a"), unknown),
      op(3, 4, get, saw("a", 1)),
      op(5, 6, remove(), written(2, true)),
      op(7, 8, get, saw("a", 3)),
    ],
  },
  {
    name: "an unseen delete explains one gap",
    good: true,
    history: [
      op(1, 2, put("a"), written(1, false)),
      op(3, 4, remove(), unknown),
      op(5, 6, get, saw("a", 1)),
      op(7, 8, get, absent),
      op(9, 10, put("b"), written(3, false)),
    ],
  },
  {
    name: "one unseen delete does not explain two gaps",
    good: false,
    history: [
      op(1, 2, put("a"), written(1, false)),
      op(3, 4, remove(), unknown),
      op(5, 6, get, absent),
      op(7, 8, put("b"), written(3, false)),
      op(9, 10, get, absent),
    ],
  },
  {
    name: "an unseen delete called too late",
    good: false,
    history: [
      op(1, 2, put("a"), written(1, false)),
      op(3, 4, get, absent),
      op(5, 6, remove(), unknown),
    ],
  },
  {
    name: "an unseen put makes a later put an update",
    good: true,
    history: [op(1, 2, put("a"), unknown), op(3, 4, put("b"), written(2, true))],
  },
  { name: "an update over nothing", good: false, history: [op(1, 2, put("b"), written(2, true))] },
  {
    name: "two creations in a row",
    good: false,
    history: [op(1, 2, put("a"), written(1, false)), op(3, 4, put("b"), written(2, false))],
  },
  {
    name: "a failed write is seen",
    good: false,
    history: [op(1, 2, put("a"), { kind: "failed" }), op(3, 4, get, saw("a", 1))],
  },
  { name: "a value out of nowhere", good: false, history: [op(3, 4, get, saw("a", 1))] },
  {
    name: "versions against real time",
    good: false,
    history: [op(1, 2, put("a"), written(5, false)), op(3, 4, put("b"), written(4, true))],
  },
  {
    name: "one version twice",
    good: false,
    history: [op(1, 4, put("a"), written(1, false)), op(2, 3, put("b"), written(1, true))],
  },
  {
    name: "compare and set, won by one of two",
    good: true,
    history: [
      op(1, 2, put("a"), written(1, false)),
      op(3, 8, put("b", { kind: "version", version: 1 }), written(2, true)),
      op(4, 7, put("c", { kind: "version", version: 1 }), conditionFailed(2)),
    ],
  },
  {
    name: "compare and set, won by both",
    good: false,
    history: [
      op(1, 2, put("a"), written(1, false)),
      op(3, 8, put("b", { kind: "version", version: 1 }), written(2, true)),
      op(4, 7, put("c", { kind: "version", version: 1 }), written(3, true)),
    ],
  },
  {
    name: "the condition failed against a version that it names",
    good: false,
    history: [
      op(1, 2, put("a"), written(1, false)),
      op(3, 4, put("b", { kind: "version", version: 1 }), conditionFailed(1)),
    ],
  },
  {
    name: "a failed condition tells the version of an unseen put",
    good: true,
    history: [
      op(1, 2, put("a"), unknown),
      op(3, 4, put("b", { kind: "absent" }), conditionFailed(7)),
      op(5, 6, remove({ kind: "version", version: 7 }), written(8, true)),
    ],
  },
  {
    name: "a failed condition tells a version that nothing explains",
    good: false,
    history: [op(3, 4, put("b", { kind: "absent" }), conditionFailed(7))],
  },
  {
    name: "an unseen delete of one version cannot delete another",
    good: false,
    history: [
      op(1, 2, put("a"), written(1, false)),
      op(3, 4, remove({ kind: "version", version: 1 }), unknown),
      op(5, 6, get, saw("a", 1)),
      op(7, 8, put("b"), written(2, true)),
      op(9, 10, get, absent),
    ],
  },
  {
    name: "a delete of nothing while a put is on its way",
    good: true,
    history: [op(1, 6, put("a"), written(1, false)), op(2, 3, remove(), absent), op(4, 5, get, saw("a", 1))],
  },
];

for (const { name, good, history } of CASES) {
  Deno.test(`linearizability: ${name}: ${good ? "accepted" : "rejected"} by both checkers`, () => {
    const expected = good ? "linearizable" : "violation";
    assertEquals(checkGeneral(history).kind, expected, "general checker");
    assertEquals(checkByVersion(history).kind, expected, "checker by version");
  });
}

/** A history of a correct key: each operation takes effect at a moment between its call and its return. */
function correctHistory(random: SeededRandom, operations: number): KeyOperation[] {
  const planned = Array.from({ length: operations }, (_, i) => {
    const times = [random.number(), random.number(), random.number()].map((t) => t * operations / 4 + i);
    const [callAt, atMs, returnAt] = times.sort((a, b) => a - b) as [number, number, number];
    return { i, callAt, atMs, returnAt };
  });
  let value: { value: string; version: number } | undefined;
  let lsn = 0;
  return planned.sort((a, b) => a.atMs - b.atMs).map(({ i, callAt, returnAt }) => {
    lsn += random.below(3);
    const request = randomRequest(random, `v${i}`, value?.version ?? 0, lsn);
    const happens = !random.chance(0.15);
    const lost = !happens || random.chance(0.2);
    let answer: Answer = unknown;
    if (happens) {
      const before = value;
      const condition = request.kind === "get" ? undefined : request.condition;
      if (request.kind === "get") answer = value ? saw(value.value, value.version) : absent;
      else if (condition && (condition.kind === "absent" ? value : condition.version !== value?.version)) {
        answer = conditionFailed(value?.version ?? 0);
      } else if (request.kind === "delete" && !value) answer = absent;
      else {
        lsn++;
        value = request.kind === "put" ? { value: request.value, version: lsn } : undefined;
        answer = written(lsn, before !== undefined);
      }
    } else if (random.chance(0.3)) return op(callAt, returnAt, request, { kind: "failed" });
    return op(callAt, returnAt, request, lost ? unknown : answer);
  });
}

function randomRequest(random: SeededRandom, value: string, version: number, lsn: number): Request {
  const guess = random.chance(0.6) ? version : random.below(lsn + 1);
  const condition: Condition | undefined = random.chance(0.6)
    ? undefined
    : guess === 0 || random.chance(0.4)
    ? { kind: "absent" }
    : { kind: "version", version: guess };
  const kind = random.below(3);
  return kind === 0 ? get : kind === 1 ? put(value, condition) : remove(condition);
}

/** Changes one answer, so that the history may no longer be explained. */
function tamper(random: SeededRandom, history: readonly KeyOperation[]): KeyOperation[] {
  const at = random.below(history.length);
  return history.map((operation, i) => {
    if (i !== at) return operation;
    const { answer } = operation;
    const version = 1 + random.below(12);
    if (answer.kind === "value") {
      return { ...operation, answer: random.chance(0.5) ? absent : saw(answer.value, version) };
    }
    if (answer.kind === "absent" && operation.request.kind === "delete") {
      return { ...operation, answer: written(version, true) };
    }
    if (answer.kind === "absent") {
      const puts = history.flatMap((other) => other.request.kind === "put" ? [other.request.value] : []);
      return puts.length === 0 ? operation : { ...operation, answer: saw(random.pick(puts), version) };
    }
    if (answer.kind === "written") return { ...operation, answer: written(answer.version, !answer.existed) };
    if (answer.kind === "condition-failed") return { ...operation, answer: conditionFailed(version) };
    return { ...operation, answer: { kind: "failed" } };
  });
}

Deno.test("linearizability: both checkers agree on random histories, good and tampered with", () => {
  const counts = { linearizable: 0, violation: 0, "gave-up": 0 };
  for (let seed = 0; seed < 3000; seed++) {
    const random = new SeededRandom(seed);
    const good = correctHistory(random, 2 + random.below(9));
    assertEquals(checkByVersion(good).kind, "linearizable", `seed ${seed}\n${good.map(describe).join("\n")}`);
    const history = tamper(random, random.chance(0.5) ? good : tamper(random, good));
    const general = checkGeneral(history);
    counts[general.kind]++;
    if (general.kind === "gave-up") continue;
    assertEquals(
      checkByVersion(history).kind,
      general.kind,
      `seed ${seed}\n${history.map(describe).join("\n")}`,
    );
  }
  assert(counts.linearizable > 300 && counts.violation > 300, `one-sided: ${JSON.stringify(counts)}`);
  assert(counts["gave-up"] < 100, `gave up: ${JSON.stringify(counts)}`);
});

Deno.test("linearizability: the checker by version takes long histories with many unknown outcomes", () => {
  for (let seed = 0; seed < 3; seed++) {
    const history = correctHistory(new SeededRandom(`long ${seed}`), 60).map((operation, i) => ({
      ...operation,
      answer: i % 4 === 0 && operation.request.kind !== "get" && operation.answer.kind === "written"
        ? unknown
        : operation.answer,
    }));
    assertEquals(checkByVersion(history).kind, "linearizable");
  }
});

Deno.test("linearizability: too little room is reported as giving up, not as passing", () => {
  const history = correctHistory(new SeededRandom(7), 10);
  assertEquals(checkGeneral(history, 2).kind, "gave-up");
  assertEquals(checkByVersion(history, 0).kind, "gave-up");
});
