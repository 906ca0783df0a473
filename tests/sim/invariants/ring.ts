import { addressOf } from "../../../core/ring/followers.ts";
import { ringFromJson } from "../../../core/ring/document.ts";
import { type Ring, sameRef, type SlotEntry } from "../../../core/ring/ring.ts";
import type { CommittedWrite, SimEnsemble } from "../world/ensemble.ts";

/** Invariant 1: checks the ring at every commit, and keeps it as it really is. */
export class RingTruth {
  ring: Ring | undefined;
  writes = 0;
  /** Called with the slots whose entries have changed. */
  onChange: (slots: readonly number[]) => void = () => {};
  readonly #listeners = new Set<(ring: Ring, before: Ring | undefined) => void>();
  /** Ring versions that last promoted somebody, and that had another writer than the one before. */
  #promotedIn = -Infinity;
  #newWriterIn = -Infinity;
  readonly #isrSizes = new Map<number, number>();

  constructor(
    readonly ensemble: SimEnsemble,
    readonly paths: { readonly ring: string; readonly masterLock: string },
    readonly violated: (what: string) => void,
    readonly count: (what: string) => void,
  ) {
    ensemble.onCommit((write) => {
      if (write.path === paths.ring) this.#written(write);
    });
  }

  /** `listener` gets each ring as it is committed, and the one before. Returns how to end it. */
  onWrite(listener: (ring: Ring, before: Ring | undefined) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Members in sync that the slot had at this `isrSeq`. */
  isrSize(slot: number, isrSeq: number): number | undefined {
    return this.#isrSizes.get(isrSeq * 2048 + slot);
  }

  #written(write: CommittedWrite): void {
    this.writes++;
    const before = this.ring;
    const after = ringFromJson(write.data);
    this.ring = after;
    if (!this.#holdsLock(write.session)) {
      this.violated(`ring ${after.version} written by ${write.client}, which does not hold the lock`);
    }
    for (const problem of ringProblems(before, after)) this.violated(`ring ${after.version}: ${problem}`);
    const changed = [...after.slots.keys()].filter((slot) =>
      !sameEntry(before?.slots[slot], after.slots[slot]!)
    );
    for (const slot of changed) {
      const { isrSeq, isr } = after.slots[slot]!;
      this.#isrSizes.set(isrSeq * 2048 + slot, isr.length);
    }
    if (before !== undefined) this.#countChanges(before, after, changed);
    this.onChange(changed);
    for (const listener of [...this.#listeners]) listener(after, before);
  }

  #countChanges(before: Ring, after: Ring, slots: readonly number[]): void {
    const { count } = this;
    let promoted = false;
    for (const slot of slots) {
      const old = before.slots[slot]!;
      const now = after.slots[slot]!;
      const left = old.isr.some(({ id }) => !now.isr.some((ref) => ref.id === id));
      const came = now.isr.some(({ id }) => !old.isr.some((ref) => ref.id === id));
      if (old.owner !== undefined && left) count("member left the in-sync set");
      if (old.owner !== undefined && came) count("member entered the in-sync set");
      if (now.lineage !== old.lineage) {
        count(now.owner?.id === old.owner?.id ? "copy salvaged" : "owner forced");
        continue;
      }
      if (old.owner === undefined || sameRef(old.owner, now.owner)) continue;
      if (old.owner.id === now.owner?.id) count("node relisted");
      else if (now.isr.some((ref) => sameRef(ref, old.owner))) count("hand-over");
      else promoted = true;
    }
    if (promoted) count("promotion");
    if (promoted) this.#promotedIn = after.version;
    if (before.writer !== after.writer) this.#newWriterIn = after.version;
    const near = Math.abs(this.#promotedIn - this.#newWriterIn) <= 3;
    if (near && (promoted || before.writer !== after.writer)) count("ring writer changed at a promotion");
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

function sameEntry(a: SlotEntry | undefined, b: SlotEntry): boolean {
  return a !== undefined && a.epoch === b.epoch && a.isrSeq === b.isrSeq && sameRef(a.owner, b.owner);
}

/** What is wrong with `after` as the successor of `before`. */
export function ringProblems(before: Ring | undefined, after: Ring): string[] {
  const problems: string[] = [];
  const labels = new Set(after.nodes.map((node) => node.label));
  if (labels.size !== after.nodes.length) problems.push("two nodes have the same label");
  if (after.slots.length !== after.settings.msn) problems.push(`${after.slots.length} slots`);
  after.slots.forEach((entry, slot) => problems.push(...entryProblems(after, before, slot, entry)));
  problems.push(...unevenShares(after));
  if (before === undefined) return problems;
  if (after.version !== before.version + 1) problems.push(`follows version ${before.version}`);
  if (after.previousNonce !== before.nonce) problems.push("does not name the nonce of the version before");
  if (after.clusterId !== before.clusterId) problems.push("another cluster");
  if (JSON.stringify(after.settings) !== JSON.stringify(before.settings)) problems.push("other settings");
  if (after.promiseMs !== before.promiseMs) problems.push("another promiseMs");
  after.slots.forEach((entry, slot) => problems.push(...slotProblems(slot, before.slots[slot]!, entry)));
  return problems;
}

/** An assignment gives the nodes that stay at most one slot more than each other, and the others nothing. */
function unevenShares({ assigned, nodes }: Ring): string[] {
  const staying = nodes.filter(({ leaving }) => !leaving);
  if (assigned.length === 0 || staying.length === 0) return [];
  const shares = staying.map(({ label }) => assigned.filter((each) => each === label).length);
  const sum = shares.reduce((total, share) => total + share, 0);
  if (sum === assigned.length && Math.max(...shares) - Math.min(...shares) <= 1) return [];
  return [`uneven shares ${shares.join(", ")} of ${assigned.length} slots`];
}

function entryProblems(after: Ring, before: Ring | undefined, slot: number, entry: SlotEntry): string[] {
  const { owner, isr } = entry;
  if (owner === undefined) return [];
  const problems: string[] = [];
  if (!isr.some((ref) => sameRef(ref, owner))) problems.push(`owner of slot ${slot} not in its ISR`);
  // One that is dead keeps the slots of which nobody else has a copy, whoever got its seat.
  const changed = before === undefined || !sameRef(before.slots[slot]?.owner, owner);
  if (changed && addressOf(after, owner) === undefined) problems.push(`owner of slot ${slot} has no seat`);
  return problems;
}

function slotProblems(slot: number, before: SlotEntry, after: SlotEntry): string[] {
  const problems: string[] = [];
  if (after.epoch < before.epoch) {
    problems.push(`epoch of slot ${slot} fell from ${before.epoch} to ${after.epoch}`);
  }
  const [lineageBefore, lineage] = [before.lineage ?? 0, after.lineage ?? 0];
  if (lineage !== lineageBefore && lineage !== before.epoch + 1) {
    problems.push(`lineage of slot ${slot} went from ${lineageBefore} to ${lineage}`);
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
