import { ringFromJson } from "../../core/ring/document.ts";
import { addressOf } from "../../core/ring/followers.ts";
import { type Ring, sameRef, type SlotEntry } from "../../core/ring/ring.ts";
import type { CommittedWrite, SimEnsemble } from "./world/ensemble.ts";

/** What the checker asks of a data node. */
export interface Answering {
  /** The epoch in which it would answer an operation on the slot now; undefined if it would not. */
  answersIn(slot: number): number | undefined;
  readonly self: { readonly id: string; readonly incarnation: number };
}

/** Checks the ring at every commit, and who would answer for what after every event. */
export class Invariants {
  /** The ring as it really is. */
  ring: Ring | undefined;
  ringWrites = 0;

  constructor(
    readonly ensemble: SimEnsemble,
    readonly paths: { readonly ring: string; readonly masterLock: string },
    readonly violated: (what: string) => void,
  ) {
    ensemble.onCommit((write) => {
      if (write.path === paths.ring) this.#ringWritten(write);
    });
  }

  /** `nodes`: all data nodes whose process lives, by name, paused ones too. */
  afterStep(nodes: ReadonlyMap<string, Answering>): void {
    const { ring } = this;
    if (ring === undefined) return;
    for (let slot = 0; slot < ring.slots.length; slot++) {
      let answering: string | undefined;
      for (const [name, node] of nodes) {
        const epoch = node.answersIn(slot);
        if (epoch === undefined) continue;
        if (answering !== undefined) {
          this.violated(`both ${answering} and ${name} would answer for slot ${slot}`);
        }
        answering = name;
        const entry = ring.slots[slot]!;
        if (epoch !== entry.epoch || !sameRef(node.self, entry.owner)) {
          this.violated(
            `${name} would answer for slot ${slot} in epoch ${epoch}, but the ring of version ${ring.version} ` +
              `names ${entry.owner?.id} ${entry.owner?.incarnation} in epoch ${entry.epoch}`,
          );
        }
      }
    }
  }

  #ringWritten(write: CommittedWrite): void {
    this.ringWrites++;
    const before = this.ring;
    const after = ringFromJson(write.data);
    this.ring = after;
    if (!this.#holdsLock(write.session)) {
      this.violated(`ring ${after.version} written by ${write.client}, which does not hold the lock`);
    }
    for (const problem of ringProblems(before, after)) this.violated(`ring ${after.version}: ${problem}`);
  }

  /** The holder is the owner of the child with the lowest sequence number. */
  #holdsLock(session: string): boolean {
    const { truth } = this.ensemble;
    const names = truth.children(this.paths.masterLock) ?? [];
    const first = names.toSorted((a, b) => Number(a.slice(-10)) - Number(b.slice(-10)))[0];
    const holder = first && truth.read(`${this.paths.masterLock}/${first}`)?.stat.ephemeralOwner;
    return holder === session;
  }
}

/** What is wrong with `after` as the successor of `before`. */
export function ringProblems(before: Ring | undefined, after: Ring): string[] {
  const problems: string[] = [];
  const labels = new Set(after.nodes.map((node) => node.label));
  if (labels.size !== after.nodes.length) problems.push("two nodes have the same label");
  if (after.slots.length !== after.settings.msn) problems.push(`${after.slots.length} slots`);
  after.slots.forEach((entry, slot) => {
    if (entry.owner === undefined) return;
    const { owner } = entry;
    if (!entry.isr.some((ref) => sameRef(ref, owner))) problems.push(`owner of slot ${slot} not in its ISR`);
    if (addressOf(after, owner) === undefined) problems.push(`owner of slot ${slot} is not listed`);
  });
  if (before === undefined) return problems;
  if (after.version !== before.version + 1) problems.push(`follows version ${before.version}`);
  if (after.previousNonce !== before.nonce) problems.push("does not name the nonce of the version before");
  if (after.clusterId !== before.clusterId) problems.push("another cluster");
  if (JSON.stringify(after.settings) !== JSON.stringify(before.settings)) problems.push("other settings");
  after.slots.forEach((entry, slot) => problems.push(...slotProblems(slot, before.slots[slot]!, entry)));
  return problems;
}

function slotProblems(slot: number, before: SlotEntry, after: SlotEntry): string[] {
  const problems: string[] = [];
  if (after.epoch < before.epoch) {
    problems.push(`epoch of slot ${slot} fell from ${before.epoch} to ${after.epoch}`);
  }
  if (after.isrSeq < before.isrSeq) problems.push(`isrSeq of slot ${slot} fell`);
  const sameOwner = sameRef(before.owner, after.owner);
  if (!sameOwner && after.epoch <= before.epoch) {
    problems.push(`slot ${slot} has a new owner in the same epoch`);
  }
  const sameIsr = before.isr.length === after.isr.length &&
    before.isr.every((ref, i) => sameRef(ref, after.isr[i]));
  if ((!sameOwner || !sameIsr) && after.isrSeq <= before.isrSeq) {
    problems.push(`ISR or owner of slot ${slot} changed in the same isrSeq`);
  }
  return problems;
}
