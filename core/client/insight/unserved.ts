/** The slots whose keys cannot be read or written now, together with those that are so for the same reason. */

import { sameRef } from "../../ring/ring.ts";
import { nameOf, slotsName } from "./names.ts";
import type { Picture } from "./picture.ts";
import type { Problem } from "./verdict.ts";

interface Cause {
  /** Follows the names of the slots. */
  readonly what: string;
  /** "SLOTS" stands for their numbers. */
  readonly todo: string;
}

/** Those that nobody serves. */
export function unservedSlots(picture: Picture): Problem[] {
  return grouped(picture, (slot) => picture.served(slot) === undefined ? causeOf(picture, slot) : undefined);
}

/** Those that are served for reading alone, because too few copies are in sync. */
export function unwritableSlots(picture: Picture): Problem[] {
  return grouped(picture, (slot) => {
    const { owner, isr } = picture.ring.slots[slot]!;
    const least = owner === undefined ? 0 : picture.replyOf(owner)?.minInSync ?? 0;
    if (isr.length >= least || picture.served(slot) === undefined) return undefined;
    const what = `no writes: in sync are ${isr.length} copies, and minInSync asks for ${least}`;
    return {
      what,
      todo: "start standbys (kv standby --data FOLDER), or wait until those there have caught up",
    };
  });
}

function causeOf(picture: Picture, slot: number): Cause {
  const { ring } = picture;
  const { owner, isr } = ring.slots[slot]!;
  if (owner === undefined) {
    return { what: "no owner yet", todo: "start a data node (kv data --data FOLDER)" };
  }
  const name = nameOf(ring, owner);
  if (picture.isAlive(owner)) {
    const told = picture.told(slot);
    const reason = told?.reason || "it has not taken them over yet";
    const others = isr.filter((ref) => !sameRef(ref, owner)).map((ref) => nameOf(ring, ref));
    if (told?.damaged) {
      const better = others.length === 0
        ? ""
        : `start ${others.join(" or ")} again on its folder; without that, `;
      return {
        what: `not served by ${name}: ${reason}`,
        todo: `${better}what can be read is saved by kv admin salvage SLOTS`,
      };
    }
    return { what: `not served by ${name}: ${reason}`, todo: "see its log if this lasts" };
  }
  const others = isr.filter((ref) => !sameRef(ref, owner));
  const living = others.filter((ref) => picture.isAlive(ref));
  if (living.length > 0) {
    const heirs = living.map((ref) => nameOf(ring, ref)).join(", ");
    const what = `the owner, ${name}, does not answer; in sync: ${heirs}`;
    return {
      what,
      todo: "wait a few seconds for the active master to give them away; without one start a master",
    };
  }
  const missing = [owner, ...others].map((ref) => nameOf(ring, ref)).join(" or ");
  const what = `no copy in sync is alive; missing: ${missing}`;
  return {
    what,
    todo:
      "start one of these on its folder again; if none can ever come back, kv admin force-owner SLOTS NODE gives " +
      "them to another node, without what only those had",
  };
}

function grouped(picture: Picture, causeOf: (slot: number) => Cause | undefined): Problem[] {
  const groups = new Map<string, { readonly cause: Cause; readonly slots: number[] }>();
  for (const slot of picture.ring.slots.keys()) {
    const cause = causeOf(slot);
    if (cause === undefined) continue;
    const group = groups.get(cause.what) ?? { cause, slots: [] };
    groups.set(cause.what, group);
    group.slots.push(slot);
  }
  return [...groups.values()].map(({ cause: { what, todo }, slots }) => ({
    state: "unavailable",
    what: `${slotsName(slots)}: ${what}`,
    todo: todo.replace("SLOTS", slotsName(slots).replace(/^slots? /, "").replaceAll(" ", "")),
    slots,
  }));
}
