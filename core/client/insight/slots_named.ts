import { KvError } from "../../platform/errors.ts";

const RANGE = /^(\d+)(?:\.\.(\d+))?$/;

/** The slots of `7`, `0..34` or `0..34,130`, ascending; throws `invalid` for other texts, and for slots there are not. */
export function slotsNamed(text: string, msn: number): number[] {
  const slots = new Set<number>();
  for (const part of text.split(",")) {
    const [, first, last = first] = RANGE.exec(part.trim()) ?? [];
    if (first === undefined || Number(last) < Number(first)) {
      throw new KvError("invalid", `"${text}" names no slots: the forms are 7, 0..34, and 0..34,130`);
    }
    if (Number(last) >= msn) {
      throw new KvError("invalid", `there is no slot ${last}: they are numbered from 0 to ${msn - 1}`);
    }
    for (let slot = Number(first); slot <= Number(last); slot++) slots.add(slot);
  }
  return [...slots].sort((a, b) => a - b);
}
