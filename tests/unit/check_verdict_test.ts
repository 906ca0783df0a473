/** From the lines of a history to its verdict. */

import { assert, assertEquals, assertThrows } from "@std/assert";
import type { Answer, Request } from "../../core/check/history.ts";
import { lineOf, recordOf } from "../../core/check/line.ts";
import { type OperationRecord, Records } from "../../core/check/records.ts";
import { judge } from "../../core/check/verdict.ts";
import {
  absent,
  conditionFailed,
  failed,
  get,
  put,
  remove,
  saw,
  unknown,
  written,
} from "./check_operations.ts";

function record(
  key: string,
  callUs: number,
  returnUs: number,
  request: Request,
  answer: Answer,
  error?: string,
): OperationRecord {
  return { client: "c1", key, request, answer, callUs, returnUs, epoch: undefined, error };
}

function recordsOf(all: readonly OperationRecord[]): Records {
  const records = new Records();
  all.forEach((each) => records.add(each));
  return records;
}

const HISTORY: readonly OperationRecord[] = [
  record("a", 0, 100, put("1"), written(1, false)),
  record("b", 50, 90, put("strange é\n"), written(2, false)),
  record("a", 150, 2000, put("3", { kind: "version", version: 1 }), unknown, "outcome-unknown"),
  record("a", 1500, 1700, get, failed, "unavailable"),
  record("b", 200, 240, put("4", { kind: "absent" }), conditionFailed(2)),
  record("a", 2100, 2300, get, saw("3", 7)),
  record("b", 300, 350, get, saw("strange é\n", 2)),
  record("b", 400, 440, remove({ kind: "version", version: 2 }), written(3, true)),
  record("b", 500, 530, remove(), absent),
];

Deno.test("history: a line tells all of an operation, and is read as it was written", () => {
  for (const each of HISTORY) {
    assertEquals(recordOf(lineOf(each), "line 1"), each);
    assertEquals(lineOf(each).indexOf("\n"), lineOf(each).length - 1);
  }
  assertEquals(
    lineOf({ ...HISTORY[7]!, epoch: 2 }),
    '{"client":"c1","key":"b","request":"delete","ifVersion":2,"answer":"written","version":3,"existed":true,' +
      '"epoch":2,"callUs":400,"returnUs":440}\n',
  );
});

Deno.test("history: a line that makes no sense is refused, with its place and the reason", () => {
  const good = JSON.parse(lineOf(HISTORY[0]!));
  const cases: [unknown, RegExp][] = [
    [{ ...good, request: "take" }, /take/],
    [{ ...good, answer: "absent" }, /no answer "absent"/],
    [{ ...good, answer: "condition-failed" }, /no answer "condition-failed"/],
    [{ ...good, answer: "toString" }, /toString/],
    [{ ...good, version: "1" }, /"version" is not a number/],
    [{ ...good, returnUs: -1 }, /returnUs/],
    [{ ...good, callUs: 200 }, /returnUs is before callUs/],
    [{ ...good, key: undefined }, /"key" is not a text/],
    [null, /no JSON object/],
  ];
  for (const [line, reason] of cases) {
    const error = assertThrows(() => recordOf(JSON.stringify(line), "run.jsonl:7"), Error);
    assert(reason.test(error.message) && error.message.startsWith("run.jsonl:7 "), error.message);
  }
  assertThrows(() => recordOf(lineOf(HISTORY[0]!).slice(0, 40), "run.jsonl:7"), Error, "run.jsonl:7 ");
});

Deno.test("records: what goes in comes out, key by key", () => {
  const keys = [...recordsOf(HISTORY).byKey()];
  assertEquals(keys.map(([key]) => key), ["a", "b"]);
  for (const [key, operations] of keys) {
    const expected = HISTORY.filter((each) => each.key === key);
    assertEquals(
      operations,
      expected.map(({ request, answer, callUs, returnUs, client }) => ({
        request,
        answer,
        callAt: callUs,
        returnAt: returnUs,
        client,
      })),
    );
  }
});

Deno.test("verdict: counts by kind and answer, pauses, latencies", () => {
  const verdict = judge(recordsOf(HISTORY));
  assertEquals([verdict.outcome, verdict.unread, verdict.durationUs], ["not shown", 1, 2300]);
  assertEquals([verdict.operations, verdict.keys, verdict.unknown, verdict.failed], [9, 2, 1, 1]);
  assertEquals(verdict.answers, {
    "put": { written: 2 },
    "put-if": { "unknown": 1, "condition-failed": 1 },
    "get": { failed: 1, value: 2 },
    "delete": { absent: 1 },
    "delete-if": { written: 1 },
  });
  assertEquals(verdict.longestPause, { key: "a", fromUs: 150, lengthUs: 2150 });
  assertEquals(verdict.longestOperationUs, 1850);
  assertEquals(verdict.latency.reads, { p50Us: 50, p99Us: 200, maxUs: 200 });
  assertEquals(verdict.violations, { lost: 0, duplicated: 0, stale: 0, other: 0 });
});

Deno.test("verdict: a pause that does not end lasts to the end of the history of its key", () => {
  const down = [
    record("a", 0, 100, get, absent),
    record("a", 200, 700, get, failed),
    record("a", 800, 1300, get, failed),
  ];
  assertEquals(judge(recordsOf(down)).longestPause, { key: "a", fromUs: 200, lengthUs: 1100 });
  assertEquals(judge(recordsOf([])).longestPause, undefined);
});

Deno.test("verdict: lost and doubled writes count once, answers each; examples name key and operations", () => {
  const verdict = judge(recordsOf([
    record("a", 0, 1, put("1"), written(1, false)),
    record("a", 2, 3, get, absent),
    record("a", 4, 5, get, absent),
    record("b", 0, 1, put("2"), written(1, false)),
    record("b", 2, 3, get, absent),
    record("b", 4, 5, get, absent),
    record("b", 6, 7, get, saw("2", 1)),
    record("c", 0, 1, get, absent),
  ]));
  assertEquals([verdict.outcome, verdict.unread], ["violated", 0]);
  assertEquals(verdict.violations, { lost: 1, duplicated: 0, stale: 2, other: 0 });
  assertEquals(verdict.examples.map(({ key, kind, operations }) => [key, kind, operations.length]), [
    ["a", "lost", 2],
    ["b", "stale", 2],
  ]);
});

Deno.test("verdict: giving up is not passing", () => {
  const atOnce = Array.from({ length: 40 }, (_, i) => record("a", i, 1000 + i, get, absent));
  const verdict = judge(recordsOf(atOnce));
  assertEquals([verdict.outcome, verdict.gaveUp.map(({ key }) => key)], ["not shown", ["a"]]);
  const lost = [record("b", 0, 1, put("2"), written(1, false)), record("b", 2, 3, get, absent)];
  assertEquals(judge(recordsOf([...atOnce, ...lost])).outcome, "violated");
});

Deno.test("verdict: passed only when every key was read after its last write", () => {
  const outcome = (...records: OperationRecord[]) => judge(recordsOf(records)).outcome;
  const write = record("a", 0, 10, put("1"), written(1, false));
  assertEquals(outcome(write, record("a", 10, 12, get, saw("1", 1))), "passed");
  assertEquals(outcome(write, record("a", 9, 12, get, saw("1", 1))), "not shown");
  assertEquals(outcome(write, record("a", 20, 22, get, failed)), "not shown");
  assertEquals(outcome(record("a", 0, 10, put("1"), unknown), record("a", 20, 22, get, absent)), "passed");
});

Deno.test("verdict: a history without any answer is that of a cluster that could not be reached", () => {
  assertEquals(
    judge(recordsOf([record("a", 0, 10, put("1"), unknown), record("a", 20, 30, get, failed)])).outcome,
    "unreachable",
  );
  assertEquals(judge(recordsOf([])).outcome, "not shown");
});
