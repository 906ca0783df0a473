/** Every pair of a step of a transfer and a participant that is struck at it. */

import { type Blow, type Kind, type Participant, stepsOf, Transfer } from "./transfer.ts";
import type { Step } from "./steps.ts";

/** For each kind of transfer the participants, and what stands over their columns. */
export const PARTICIPANTS: Readonly<Record<Kind, Readonly<Record<Participant, string>>>> = {
  join: columns("source", "joining node"),
  leave: columns("leaving node", "target"),
  rebalance: columns("source", "target"),
};

function columns(source: string, target: string): Readonly<Record<Participant, string>> {
  return { source, target, standby: "standby", "active master": "active master", ZooKeeper: "ZooKeeper" };
}

/** In the order of the tables. */
export const BLOWS: readonly Blow[] = ["killed", "stopped", "cut off"];

/** When who was struck comes back: while the others still deal with it, and long after its session has ended. */
export const RETURNS_MS = [300, 6000] as const;

export interface Cell {
  readonly kind: Kind;
  readonly step: Step;
  readonly participant: Participant;
  /** How long, in virtual time, the longest operation of a client took; or what went wrong. */
  readonly outcome: { readonly longestMs: number } | { readonly error: string };
}

/** Strikes the participant at the step, lets it come back, and waits until all is in its place. */
export async function play(
  kind: Kind,
  step: Step,
  participant: Participant,
  blow: Blow,
  backAfterMs: number,
): Promise<Cell["outcome"]> {
  const transfer = new Transfer(kind, SEED);
  try {
    await transfer.prepare();
    transfer.begin();
    for (const each of stepsOf(kind)) {
      await transfer.reach(each);
      if (each.name === step.name) break;
    }
    transfer.strike(participant, blow, backAfterMs);
    await transfer.end();
    return { longestMs: transfer.longestMs };
  } catch (error) {
    return { error: error instanceof Error ? error.message : String(error) };
  }
}

const SEED = 1;

/** All cells of one kind of transfer. */
export async function playAll(kind: Kind, blow: Blow, backAfterMs: number): Promise<Cell[]> {
  const cells: Cell[] = [];
  for (const step of stepsOf(kind)) {
    for (const participant of Object.keys(PARTICIPANTS[kind]) as Participant[]) {
      const outcome = await play(kind, step, participant, blow, backAfterMs);
      cells.push({ kind, step, participant, outcome });
    }
  }
  return cells;
}

/** A row for each step, a column for each participant; the longest operation in milliseconds, or FAILED. */
export function tableText(kind: Kind, cells: readonly Cell[]): string {
  const names = Object.values(PARTICIPANTS[kind]);
  const rows = stepsOf(kind).map(({ name }) => {
    const outcomes = cells.filter(({ step }) => step.name === name).map(({ outcome }) =>
      "error" in outcome ? "FAILED" : outcome.longestMs.toFixed(0)
    );
    return [name, ...outcomes];
  });
  return [[kind, ...names], ...rows].map(([first, ...others]) =>
    first!.padEnd(26) + others.map((text) => text.padStart(15)).join("")
  ).join("\n");
}
