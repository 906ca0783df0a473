/**
 * Which ways to fail a large run has exercised. Each line of the list of pitfalls that the simulation can bring about has
 * counters; one whose counters all stay at zero says that the run proves nothing about it.
 */

import { FAULTS } from "./faults.ts";

export interface Covered {
  /** The pitfall, in a few words. */
  readonly line: string;
  /** Names of counters: at least one of each inner list must have counted. */
  readonly by: readonly (readonly string[])[];
  /** Cannot happen without copies. */
  readonly replicated?: boolean;
}

/** In the order of the list. What concerns the real libraries is left to tests/zookeeper and tests/e2e. */
export const PITFALLS: readonly Covered[] = [
  { line: "a lease from the coordinator", by: [["coordinator session expired behind a follower cut off"]] },
  {
    line: "a paused master writes",
    by: [["master paused"], ["coordinator write refused to an ended session"]],
  },
  {
    line: "connection loss taken for expiry",
    by: [["coordinator connection lost after the call"], ["session expired", "all sessions expired"]],
  },
  { line: "the old session's node is still there", by: [["restarted within a session's time"]] },
  { line: "one-shot watches miss changes", by: [["coordinator server lags"], ["coordinator cut off"]] },
  {
    line: "connection loss on a create or on the ring's write",
    by: [["coordinator connection lost after the call"], ["coordinator connection lost before the call"]],
  },
  { line: "a stale read by a new master", by: [["coordinator server lags", "coordinator follower cut off"]] },
  { line: "every session has expired", by: [["all sessions expired"]] },
  { line: "the coordinator has no quorum", by: [["coordinator outage"]] },
  {
    line: "a zombie owner after a pause",
    by: [["owner went on after the ring had replaced it"]],
    replicated: true,
  },
  { line: "a follower dropped in thought", by: [["member left the in-sync set"]], replicated: true },
  {
    line: "an emptied replica, a late request",
    by: [["node comes back with an empty disk"], ["call handled twice: Propose"]],
    replicated: true,
  },
  {
    line: "logs that have parted",
    by: [["log cut", "log parted from another and was brought back"]],
    replicated: true,
  },
  { line: "old messages", by: [["call handled twice"], ["latency spike", "slow links"]] },
  {
    line: "a new owner's uncommitted tail",
    by: [["owner began to answer after bringing a tail to its members"]],
    replicated: true,
  },
  { line: "a slow standby", by: [["slow links"], ["member left the in-sync set"]], replicated: true },
  { line: "catching up by snapshot", by: [["snapshot began"], ["snapshot complete"]], replicated: true },
  {
    line: "a master changes in the middle of a promotion",
    by: [["ring writer changed at a promotion"]],
    replicated: true,
  },
  { line: "a promotion", by: [["promotion"], ["node relisted"]], replicated: true },
  { line: "a hand-over", by: [["hand-over"]], replicated: true },
  { line: "a retry runs twice", by: [["retry that changed nothing was logged"]] },
  { line: "copies that differ", by: [["copies compared"]], replicated: true },
  { line: "a client forgotten", by: [["client forgotten"]] },
  { line: "a failed sync", by: [["sync failed"]] },
  { line: "rot", by: [["bit rot"]] },
  { line: "an unreadable sector", by: [["unreadable sector"]] },
  { line: "power loss", by: [["node without power"], ["power lost within a disk call"]] },
  { line: "a full disk", by: [["disk full"]] },
  { line: "the folder of another cluster", by: [["started on the folder of another cluster"]] },
  { line: "a suspended machine", by: [["machine suspended"]] },
];

/** What a run with these counts has not shown. */
export function neverHit(counts: ReadonlyMap<string, number>, replication: boolean): string[] {
  const missing = (name: string) => !counts.get(name);
  const faults = FAULTS.filter(({ name, replicated }) => (replication || !replicated) && missing(name));
  const lines = PITFALLS.filter(({ by, replicated }) =>
    (replication || !replicated) && by.some((names) => names.every(missing))
  );
  return [
    ...faults.map(({ name }) => `fault: ${name}`),
    ...lines.map(({ line, by }) => `pitfall: ${line} (${by.map((names) => names.join(" or ")).join("; ")})`),
  ];
}
