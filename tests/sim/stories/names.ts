import type { NodeRef } from "../../../core/ring/ring.ts";

/** What the nodes of a story are called: ids are random, and nobody reads them. */
export class Names {
  readonly #byId = new Map<string, string>();

  constructor(readonly nameOf: (id: string) => string | undefined) {}

  /** `data1`, and `data1/2` for its second process start. */
  of(ref: NodeRef | undefined): string {
    if (ref === undefined) return "nobody";
    const name = this.#byId.get(ref.id) ?? this.nameOf(ref.id) ?? ref.id;
    this.#byId.set(ref.id, name);
    return ref.incarnation === 1 ? name : `${name}/${ref.incarnation}`;
  }

  all(refs: readonly NodeRef[]): string {
    return refs.map((ref) => this.of(ref)).sort().join(" ");
  }

  /** The text without ids. */
  inText(text: string): string {
    let named = text;
    for (const [id, name] of this.#byId) named = named.replaceAll(id, name);
    return named.replaceAll(/[0-9a-f]{8}-[0-9a-f-]{27}/g, "<id>");
  }
}

/** `0-6 9`: numbers in ascending order, with neighbours as ranges. */
export function ranges(numbers: readonly number[]): string {
  const parts: [number, number][] = [];
  for (const number of numbers) {
    const last = parts.at(-1);
    if (last !== undefined && last[1] === number - 1) last[1] = number;
    else parts.push([number, number]);
  }
  return parts.map(([first, last]) => first === last ? `${first}` : `${first}-${last}`).join(" ");
}

/** The keys of one text together, texts in the order of their first key. */
export function grouped(
  texts: Iterable<readonly [slot: number, text: string]>,
): [text: string, slots: string][] {
  const slots = new Map<string, number[]>();
  for (const [slot, text] of texts) {
    const known = slots.get(text);
    if (known === undefined) slots.set(text, [slot]);
    else known.push(slot);
  }
  return [...slots].map(([text, found]) => [text, ranges(found)]);
}
