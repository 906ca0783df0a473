import type { Cluster } from "../cluster.ts";
import { messageLines } from "./message_lines.ts";
import { Names, ranges } from "./names.ts";
import { ringLines } from "./ring_lines.ts";

/** Writes down what happens in a cluster, without moments: only the order is told, which changes less. */
export class Recorder {
  readonly names: Names;
  readonly #lines: { readonly text: string; readonly slots: Set<number> }[] = [];

  constructor(readonly cluster: Cluster) {
    this.names = new Names((id) => cluster.invariants.liveNode(id)?.name);
    cluster.rings.onWrite((ring, before) => {
      const writer = cluster.masters.find(({ program }) => program?.address === ring.writer)?.name;
      for (const line of ringLines(before, ring, writer ?? ring.writer, this.names)) this.write(line);
    });
    cluster.network.onMessage = (sent) => {
      for (const [text, slot] of messageLines(sent, this.names)) this.write(text, slot);
    };
    cluster.listeners.owner = (machine, slot, what) => this.write(`${machine} ${what}`, slot);
    cluster.listeners.said = (machine, level, text) => {
      if (level !== "debug") this.write(`${machine} says: ${this.names.inText(text)}`);
    };
  }

  /** One line; what follows with the same text, about other slots or the same again, is told by it too. */
  write(text: string, slot?: number): void {
    const last = this.#lines.at(-1);
    const line = last?.text === text ? last : { text, slots: new Set<number>() };
    if (slot !== undefined) line.slots.add(slot);
    if (line !== last) this.#lines.push(line);
  }

  text(): string {
    const lines = this.#lines.map(({ text, slots }) => {
      if (slots.size === 0) return text;
      return `${text}, ${slots.size === 1 ? "slot" : "slots"} ${ranges([...slots].sort((a, b) => a - b))}`;
    });
    return lines.join("\n") + "\n";
  }
}
