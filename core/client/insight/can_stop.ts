import { type NodeRef, sameRef } from "../../ring/ring.ts";
import type { Address } from "../../platform/ports.ts";
import { slotsName } from "./names.ts";
import type { Picture } from "./picture.ts";

/**
 * Why the data node or standby had better not be stopped now: what nobody could read or write without it. Empty when it
 * may go; slots that it owns are then unavailable only until they have another owner.
 */
export function reasonsToStay(picture: Picture, ref: NodeRef): string[] {
  const { ring } = picture;
  const bare: number[] = [];
  const tooFew = new Map<string, number[]>();
  let owns = false;
  for (const [slot, { owner, isr }] of ring.slots.entries()) {
    if (owner === undefined || !isr.some((member) => sameRef(member, ref))) continue;
    owns ||= sameRef(owner, ref);
    const others = isr.filter((member) => !sameRef(member, ref) && picture.isAlive(member)).length;
    const least = (picture.replyOf(owner) ?? picture.replyOf(ref))?.minInSync ?? 1;
    if (others === 0) bare.push(slot);
    else if (others < least) {
      const what = `in sync would be ${others} copies, and minInSync asks for ${least}`;
      tooFew.set(what, [...tooFew.get(what) ?? [], slot]);
    }
  }
  const reasons = [...tooFew].map(([what, slots]) => `${slotsName(slots)}: no writes: ${what}`);
  if (bare.length > 0) reasons.unshift(`${slotsName(bare)}: no other copy in sync is alive`);
  if (owns && !picture.masters.some(({ reply }) => reply?.active)) {
    reasons.push("no active master answers that could give its slots to others");
  }
  return reasons;
}

/** The same for a master. */
export function reasonsForMaster(picture: Picture, address: Address): string[] {
  const others = picture.masters.filter((each) => each.address !== address && each.reply !== undefined);
  if (others.length > 0) return [];
  return ["of the masters that --addr names no other one answers: nothing would take the place of what dies"];
}
