/** The verdict of `kv bench check`, for people and for programs. */

import { describe } from "../../../core/check/history.ts";
import type { Percentiles } from "../../../core/check/latencies.ts";
import type { Pause } from "../../../core/check/pauses.ts";
import type { KeyViolation, Outcome, RunVerdict } from "../../../core/check/verdict.ts";
import { ExitCode } from "../../framework/exit_code.ts";
import { KINDS } from "./mix.ts";

const EXIT_CODES: Readonly<Record<Outcome, number>> = {
  "passed": ExitCode.done,
  "violated": ExitCode.violated,
  "not shown": ExitCode.other,
  "unreachable": ExitCode.unavailable,
};

export function verdictExitCode({ outcome }: RunVerdict): number {
  return EXIT_CODES[outcome];
}

/** Several lines; the last one is `verdict: ` and the outcome. */
export function verdictText(verdict: RunVerdict): string {
  const {
    operations,
    keys,
    durationUs,
    unknown,
    failed,
    longestPause,
    longestOperationUs,
    latency,
    violations,
  } = verdict;
  const { lost, duplicated, stale, other } = violations;
  return [
    `operations: ${operations} on ${keys} keys in ${seconds(durationUs)}`,
    ...answersLines(verdict),
    `unknown outcome: ${unknown}`,
    `failed, nothing done: ${failed}`,
    `longest unavailability: ${pauseText(longestPause)}`,
    `longest operation: ${ms(longestOperationUs)}`,
    `latency of reads: ${latencyText(latency.reads)}`,
    `latency of writes: ${latencyText(latency.writes)}`,
    `lost writes: ${lost}`,
    `duplicated writes: ${duplicated}`,
    `stale reads: ${stale}`,
    `other violations: ${other}`,
    ...verdict.examples.map(exampleText),
    ...verdict.gaveUp.map(({ key, reason }) => `gave up on key ${key}: ${reason}`),
    `linearizable: ${linearizableText(verdict)}`,
    `verdict: ${outcomeText(verdict)}`,
  ].join("\n") + "\n";
}

function answersLines({ answers }: RunVerdict): string[] {
  return KINDS.filter((kind) => answers[kind] !== undefined).map((kind) => {
    const counts = Object.entries(answers[kind]!).sort(([, a], [, b]) => b - a);
    return `  ${kind}: ${counts.map(([answer, count]) => `${count} ${answer}`).join(", ")}`;
  });
}

function linearizableText({ outcome, gaveUp }: RunVerdict): string {
  if (outcome === "violated") return "no";
  return gaveUp.length > 0 || outcome === "unreachable" ? "not shown" : "yes";
}

function outcomeText({ outcome, gaveUp, unread, operations }: RunVerdict): string {
  if (outcome === "unreachable") return "unreachable: no operation was answered";
  if (outcome !== "not shown") return outcome;
  const reasons = [
    ...(operations === 0 ? ["there are no operations"] : []),
    ...(gaveUp.length > 0 ? [`the checker gave up on ${gaveUp.length} keys`] : []),
    ...(unread > 0 ? [`${unread} keys were not read at the end`] : []),
  ];
  return `not shown: ${reasons.join(", and ")}`;
}

function exampleText({ kind, key, reason, operations }: KeyViolation): string {
  const lines = operations.map((operation) => `\n  ${describe(operation)}`);
  return `${kind}: key ${key}: ${reason} (times in us)${lines.join("")}`;
}

function pauseText(pause: Pause | undefined): string {
  if (pause === undefined) return "none";
  return `${ms(pause.lengthUs)} (key ${pause.key}, ${seconds(pause.fromUs)} after the start)`;
}

function latencyText(percentiles: Percentiles | undefined): string {
  if (percentiles === undefined) return "none";
  const { p50Us, p99Us, maxUs } = percentiles;
  return `p50 ${ms(p50Us)}, p99 ${ms(p99Us)}, max ${ms(maxUs)}`;
}

function ms(us: number): string {
  return `${(us / 1000).toFixed(us < 10_000 ? 2 : 0)} ms`;
}

function seconds(us: number): string {
  return `${(us / 1e6).toFixed(1)} s`;
}

/** As {@link verdictText}; times in milliseconds. */
export function verdictJson(verdict: RunVerdict): Record<string, unknown> {
  const { longestPause, latency, violations } = verdict;
  const { reads, writes } = latency;
  return {
    verdict: verdict.outcome,
    linearizable: linearizableText(verdict),
    seconds: verdict.durationUs / 1e6,
    operations: verdict.operations,
    keys: verdict.keys,
    answers: verdict.answers,
    unknown: verdict.unknown,
    failed: verdict.failed,
    longestUnavailability: longestPause === undefined ? null : {
      ms: longestPause.lengthUs / 1000,
      key: longestPause.key,
      fromMs: longestPause.fromUs / 1000,
    },
    longestOperationMs: verdict.longestOperationUs / 1000,
    latencyMs: { reads: latencyJson(reads), writes: latencyJson(writes) },
    ...violations,
    examples: verdict.examples.map(({ kind, key, reason, operations }) => ({
      kind,
      key,
      reason,
      operations: operations.map(describe),
    })),
    gaveUp: verdict.gaveUp,
    unread: verdict.unread,
  };
}

function latencyJson(percentiles: Percentiles | undefined): Record<string, number> | null {
  if (percentiles === undefined) return null;
  const { p50Us, p99Us, maxUs } = percentiles;
  return { p50: p50Us / 1000, p99: p99Us / 1000, max: maxUs / 1000 };
}
