import { fnv1a32Binary } from "../../../core/ring/hash.ts";
import type { NodeRef } from "../../../core/ring/ring.ts";
import { type LogRecord, RecordKind } from "../../../core/storage/record.ts";

/** A record that some log had at (lsn, epoch). */
export interface Seen {
  /** Epoch of the record before it; undefined: not known, as after a snapshot. */
  previousEpoch: number | undefined;
  readonly hash: number;
  /** The one node that had it so far; "" for several. */
  node: string;
  /** Who wrote it, and under which number; "" for records without. */
  readonly write: string;
}

/** By how much the LSNs of one lineage go on above those of the one before. */
const LINEAGE_LSNS = 1_000_000_000;

/** Place of the LSN among those of its lineage. */
export function placeInLineage(lsn: number): number {
  return lsn % LINEAGE_LSNS;
}

/** What is known of a slot over all nodes and the whole run; of its present lineage, where there are several. */
export class SlotTruth {
  /** The epoch in which an operator last forced an owner on it. */
  lineage = 0;
  /** The highest LSN that a client was told of: it must never be lost. */
  acknowledged = 0;
  /** The highest LSN that an owner committed. */
  committed = 0;
  /** By place of the LSN: the epoch of the committed record; undefined where nobody could look. */
  readonly epochs: (number | undefined)[] = [0];
  /** By place of the LSN: the digest of the state that the committed records through it make. */
  readonly digests: (number | undefined)[] = [];
  /** LSNs committed while fewer members than `minInSync` were in sync: they must not be acknowledged. */
  readonly thin = new Set<number>();
  /** Who appends in an epoch. */
  readonly appenders = new Map<number, NodeRef>();
  readonly #seen = new Map<number, Seen>();
  readonly #writes = new Map<string, number>();

  /** An operator forced an owner on the slot: what was promised before is void. */
  forced(lineage: number): void {
    this.lineage = lineage;
    this.acknowledged = this.committed = 0;
    this.epochs.length = this.digests.length = 0;
    this.thin.clear();
    this.#writes.clear();
  }

  /** Whether the LSN was given in an earlier lineage. */
  isVoid(lsn: number): boolean {
    return lsn < this.lineage * LINEAGE_LSNS;
  }

  /**
   * Notes a record of some log. Two records of the same (lsn, epoch) must be equal, and so must those before them: by
   * induction, logs that agree at one place agree up to there. Returns what is wrong.
   */
  sees(record: LogRecord, previousEpoch: number | undefined, node: string): string | undefined {
    const place = placeOf(record.lsn, record.epoch);
    const seen = this.#seen.get(place);
    const hash = hashOf(record);
    if (seen === undefined) {
      this.#seen.set(place, { previousEpoch, hash, node, write: writeOf(record) });
      return undefined;
    }
    if (seen.node !== node) seen.node = "";
    if (seen.hash !== hash) return "is not the record that another log has there";
    seen.previousEpoch ??= previousEpoch;
    if (previousEpoch === undefined || seen.previousEpoch === previousEpoch) return undefined;
    return `follows epoch ${previousEpoch}, in another log epoch ${seen.previousEpoch}`;
  }

  /** The node took its append back, as a full disk makes it do: as long as nobody else has the record, it never was. */
  withdraw(lsn: number, epoch: number | undefined, node: string): void {
    if (epoch === undefined) return;
    const place = placeOf(lsn, epoch);
    if (this.#seen.get(place)?.node === node) this.#seen.delete(place);
  }

  /** Notes that the record is committed; returns what is wrong. `epoch` undefined: nobody could look. */
  commits(lsn: number, epoch: number | undefined): string | undefined {
    const place = placeInLineage(lsn);
    const known = this.epochs[place];
    if (epoch === undefined) return undefined;
    if (known !== undefined) {
      return known === epoch ? undefined : `is of epoch ${epoch}, but what was committed there of ${known}`;
    }
    this.epochs[place] = epoch;
    const write = this.#seen.get(placeOf(lsn, epoch))?.write ?? "";
    if (write === "") return undefined;
    const other = this.#writes.get(write);
    this.#writes.set(write, lsn);
    return other === undefined || other === lsn
      ? undefined
      : `repeats what was committed at lsn ${other} for the same client and sequence`;
  }

  /** Notes the state at a committed LSN; returns what is wrong. */
  digestAt(lsn: number, digest: number): string | undefined {
    const place = placeInLineage(lsn);
    const known = this.digests[place];
    this.digests[place] = digest;
    return known === undefined || known === digest ? undefined : `makes another state than in another copy`;
  }
}

function placeOf(lsn: number, epoch: number): number {
  return epoch * 2 ** 32 + placeInLineage(lsn);
}

function writeOf({ kind, clientId, sequence }: LogRecord): string {
  if (clientId === "" || kind === RecordKind.Forget) return "";
  return `${clientId}${sequence}`;
}

/** Values are unique and begin with what makes them so. */
const VALUE_BYTES = 24;

function hashOf({ kind, key, clientId, sequence, outcome, value }: LogRecord): number {
  let hash = fnv1a32Binary(key) ^ fnv1a32Binary(clientId);
  for (const number of [kind, sequence, outcome, value.length]) {
    hash = Math.imul(hash ^ number, 0x01000193);
    hash ^= hash >>> 15;
  }
  for (let i = Math.min(value.length, VALUE_BYTES) - 1; i >= 0; i--) {
    hash = Math.imul(hash ^ value[i]!, 0x01000193);
  }
  return hash >>> 0;
}
