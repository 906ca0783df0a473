/** The ring as a message and as the JSON text that the coordinator keeps, with runs of equal slots merged. */

import {
  type AssignedRun,
  type ForcedOwner as ForcedMessage,
  Ring as RingMessage,
  type SlotRun,
} from "../../proto/gen/kv/v1/ring.ts";
import { KvError, messageOf } from "../platform/errors.ts";
import { checkRing } from "./check.ts";
import { type ClusterSettings, type ForcedOwner, type Ring, sameRef, type SlotEntry } from "./ring.ts";
import { checkSettings } from "./settings.ts";

const NEVER_OWNED: SlotEntry = { owner: undefined, epoch: 0, isr: [], isrSeq: 0 };

/** The first ring of a new cluster: version 1, no nodes, no slot owned. */
export function createRing(
  settings: ClusterSettings,
  clusterId: string,
  writer: string,
  nonce: string,
  { promiseMs, replicas }: Pick<Ring, "promiseMs" | "replicas"> = { promiseMs: 600, replicas: 0 },
): Ring {
  checkSettings(settings);
  const slots = Array.from({ length: settings.msn }, () => NEVER_OWNED);
  const who = { writer, nonce, previousNonce: "" };
  const bounds = { replicas, promiseMs };
  return { version: 1, clusterId, settings, nodes: [], standbys: [], ...bounds, assigned: [], slots, ...who };
}

/** Neighbouring slots in the same state become one run. */
export function ringToMessage(ring: Ring): RingMessage {
  const runs: SlotRun[] = [];
  let previous: SlotEntry | undefined;
  for (const [slot, entry] of ring.slots.entries()) {
    if (previous !== undefined && sameEntry(previous, entry)) {
      runs[runs.length - 1]!.last = slot;
    } else {
      runs.push({ ...entry, first: slot, last: slot, isr: [...entry.isr], lineage: entry.lineage ?? 0 });
    }
    previous = entry;
  }
  const forced = (ring.forced ?? []).map((each) => ({ ...each, slots: [...each.slots] }));
  const assigned = assignedRuns(ring.assigned);
  return { ...ring, nodes: [...ring.nodes], standbys: [...ring.standbys], assigned, slots: runs, forced };
}

function assignedRuns(labels: readonly number[]): AssignedRun[] {
  const runs: AssignedRun[] = [];
  for (const [slot, label] of labels.entries()) {
    const run = runs.at(-1);
    if (run?.label === label) run.last = slot;
    else runs.push({ first: slot, last: slot, label });
  }
  return runs;
}

/** Throws {@link KvError} `invalid` when the message breaks an invariant of {@link Ring}. */
export function ringFromMessage(message: RingMessage): Ring {
  const { settings, forced, ...others } = message;
  if (settings === undefined) throw new KvError("invalid", "ring: settings are missing");
  checkSettings(settings as ClusterSettings);
  const nodes = message.nodes.map(({ ref, address, label, leaving }, i) => {
    if (ref === undefined) throw new KvError("invalid", `ring: nodes[${i}] has no id`);
    return { ref, address, label, leaving };
  });
  const standbys = message.standbys.map(({ ref, address, leaving }, i) => {
    if (ref === undefined) throw new KvError("invalid", `ring: standbys[${i}] has no id`);
    return { ref, address, leaving };
  });
  const ring = {
    ...others,
    settings: settings as ClusterSettings,
    nodes,
    standbys,
    assigned: expandRuns(message.assigned, settings.msn, ({ label }) => label),
    slots: expandRuns(message.slots, settings.msn, entryOf),
    ...(forced.length > 0 ? { forced: forced.map(forcedFromMessage) } : {}),
  };
  checkRing(ring);
  return ring;
}

/** One line of JSON: the protobuf JSON form of the message. */
export function ringToJson(ring: Ring): string {
  return JSON.stringify(RingMessage.toJSON(ringToMessage(ring)));
}

/**
 * Inverse of {@link ringToJson}. Throws {@link KvError} `invalid` for text that is not JSON, for fields that are
 * unknown or of the wrong type (a newer program's ring must not be cut down by an older one), and for a broken
 * invariant.
 */
export function ringFromJson(text: string): Ring {
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch (error) {
    throw new KvError("invalid", `ring: not JSON: ${messageOf(error)}`, {}, { cause: error });
  }
  let message: RingMessage;
  try {
    message = RingMessage.fromJSON(parsed);
  } catch (error) {
    throw new KvError("invalid", `ring: not a ring document: ${messageOf(error)}`, {}, { cause: error });
  }
  const strange = firstDifference(parsed, RingMessage.toJSON(message), "ring");
  if (strange !== undefined) {
    throw new KvError(
      "invalid",
      `${strange} is not known or has a wrong type; was it written by another version of kv?`,
    );
  }
  return ringFromMessage(message);
}

function sameEntry(a: SlotEntry, b: SlotEntry): boolean {
  return a === b ||
    sameRef(a.owner, b.owner) && a.epoch === b.epoch && a.isrSeq === b.isrSeq &&
      a.lineage === b.lineage &&
      a.isr.length === b.isr.length &&
      a.isr.every((ref, i) => sameRef(ref, b.isr[i]));
}

function forcedFromMessage({ from, to, ...others }: ForcedMessage, i: number): ForcedOwner {
  if (from === undefined || to === undefined) {
    throw new KvError("invalid", `ring: forced[${i}] does not say from whom and to whom`);
  }
  return { ...others, from, to };
}

function entryOf({ owner, epoch, isr, isrSeq, lineage }: SlotRun): SlotEntry {
  return { owner, epoch, isr, isrSeq, ...(lineage > 0 ? { lineage } : {}) };
}

function expandRuns<R extends { readonly first: number; readonly last: number }, T>(
  runs: readonly R[],
  msn: number,
  make: (run: R) => T,
): T[] {
  const slots: T[] = [];
  for (const run of runs) {
    const { first, last } = run;
    if (first !== slots.length || !(last >= first && last < msn)) {
      throw new KvError(
        "invalid",
        `ring: slots ${first}..${last} do not follow slot ${slots.length - 1} below ${msn}`,
      );
    }
    const entry = make(run);
    while (slots.length <= last) slots.push(entry);
  }
  return slots;
}

/**
 * Path of the first field of `actual` that reading did not take over as it stands; undefined when all were. Fields
 * with the default value of their type may be left out, as in protobuf's JSON.
 */
function firstDifference(actual: unknown, read: unknown, path: string): string | undefined {
  if (actual === read) return undefined;
  if (read === undefined) {
    const isDefault = actual === 0 || actual === "" || Array.isArray(actual) && actual.length === 0;
    return isDefault ? undefined : path;
  }
  if (!isContainer(actual) || !isContainer(read) || Array.isArray(actual) !== Array.isArray(read)) {
    return path;
  }
  for (const [key, value] of Object.entries(actual)) {
    const known = Object.hasOwn(read, key) ? read[key] : undefined;
    const found = firstDifference(value, known, Array.isArray(actual) ? `${path}[${key}]` : `${path}.${key}`);
    if (found !== undefined) return found;
  }
  return undefined;
}

function isContainer(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null;
}
