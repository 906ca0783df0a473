import { KvError } from "../platform/errors.ts";
import type { NodeRef, Ring, RingNode, SlotEntry } from "./ring.ts";
import { PROMISE_MS_MIN } from "../platform/limits.ts";
import { checkSettings } from "./settings.ts";

/** Throws {@link KvError} `invalid`, naming field and value, unless every invariant of {@link Ring} holds. */
export function checkRing(ring: Ring): void {
  checkSettings(ring.settings);
  checkCount(ring.version, 1, "version");
  for (const name of ["clusterId", "writer", "nonce"] as const) {
    if (ring[name] === "") refuse(`${name} is empty`);
  }
  checkNodes(ring.nodes, ring.settings.msn);
  checkStandbys(ring);
  checkCount(ring.replicas, 0, "replicas");
  checkCount(ring.promiseMs, PROMISE_MS_MIN, "promiseMs");
  checkAssigned(ring);
  if (ring.slots.length !== ring.settings.msn) {
    refuse(`it has ${ring.slots.length} slots, but msn is ${ring.settings.msn}`);
  }
  let previous: SlotEntry | undefined;
  for (const [slot, entry] of ring.slots.entries()) {
    if (entry !== previous) checkEntry(entry, slot);
    previous = entry;
  }
}

function checkNodes(nodes: readonly RingNode[], msn: number): void {
  const ids = new Set<string>();
  let previousLabel = -1;
  for (const [i, { ref, address, label }] of nodes.entries()) {
    checkRef(ref, `nodes[${i}]`);
    if (ids.has(ref.id)) refuse(`node ${ref.id} has two seats`);
    ids.add(ref.id);
    if (address === "") refuse(`nodes[${i}].address is empty`);
    checkCount(label, 0, `nodes[${i}].label`);
    if (label >= msn) refuse(`nodes[${i}].label ${label} is not below msn ${msn}`);
    if (label <= previousLabel) {
      refuse(`nodes[${i}].label ${label} is not above the one before, ${previousLabel}`);
    }
    previousLabel = label;
  }
}

function checkStandbys({ nodes, standbys }: Ring): void {
  let previous = "";
  for (const [i, { ref, address }] of standbys.entries()) {
    checkRef(ref, `standbys[${i}]`);
    if (address === "") refuse(`standbys[${i}].address is empty`);
    if (ref.id <= previous) refuse(`standbys[${i}].id ${ref.id} is not above the one before, ${previous}`);
    if (nodes.some((node) => node.ref.id === ref.id)) refuse(`standby ${ref.id} has a seat too`);
    previous = ref.id;
  }
}

function checkAssigned({ assigned, settings: { msn } }: Ring): void {
  if (assigned.length === 0) return;
  if (assigned.length !== msn) refuse(`it assigns ${assigned.length} slots, but msn is ${msn}`);
  for (const [slot, label] of assigned.entries()) {
    checkCount(label, 0, `assigned[${slot}]`);
    if (label >= msn) refuse(`assigned[${slot}] ${label} is not below msn ${msn}`);
  }
}

function checkEntry({ owner, epoch, isr, isrSeq, lineage = 0 }: SlotEntry, slot: number): void {
  checkCount(epoch, owner === undefined ? 0 : 1, `slots[${slot}].epoch`);
  checkCount(isrSeq, 0, `slots[${slot}].isrSeq`);
  checkCount(lineage, 0, `slots[${slot}].lineage`);
  if (lineage > epoch) refuse(`slots[${slot}] has lineage ${lineage}, above its epoch ${epoch}`);
  for (const [i, ref] of isr.entries()) {
    checkRef(ref, `slots[${slot}].isr[${i}]`);
    if (isr.findIndex((other) => other.id === ref.id) !== i) {
      refuse(`slots[${slot}].isr has node ${ref.id} twice`);
    }
  }
  if (owner === undefined) {
    if (epoch !== 0 || isr.length > 0) {
      refuse(`slots[${slot}] has no owner, but epoch ${epoch} and ${isr.length} in isr`);
    }
    return;
  }
  checkRef(owner, `slots[${slot}].owner`);
  const member = isr.find((ref) => ref.id === owner.id);
  if (member?.incarnation !== owner.incarnation) {
    refuse(`slots[${slot}].isr does not contain the owner ${owner.id} incarnation ${owner.incarnation}`);
  }
}

function checkRef({ id, incarnation }: NodeRef, path: string): void {
  if (id === "") refuse(`${path}.id is empty`);
  checkCount(incarnation, 1, `${path}.incarnation`);
}

function checkCount(value: number, least: number, path: string): void {
  if (!Number.isSafeInteger(value) || value < least) {
    refuse(`${path} ${value} is not an integer from ${least} on`);
  }
}

function refuse(what: string): never {
  throw new KvError("invalid", `ring: ${what}`);
}
