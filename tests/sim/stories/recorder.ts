import type { Cluster } from "../cluster.ts";
import { messageLines } from "./message_lines.ts";
import { grouped, Names } from "./names.ts";
import { ringLines } from "./ring_lines.ts";

/** Writes down what happens in a cluster, without moments: only the order is told, which changes less. */
export class Recorder {
  readonly lines: string[] = [];
  readonly names: Names;
  /** Of the present event; told together, with the slots as ranges. */
  readonly #bySlot: [slot: number, text: string][] = [];
  #bySlotAtStep = -1;

  constructor(readonly cluster: Cluster) {
    this.names = new Names((id) => cluster.invariants.liveNode(id)?.name);
    cluster.rings.onWrite((ring, before) => {
      const writer = cluster.masters.find(({ program }) => program?.address === ring.writer)?.name;
      for (const line of ringLines(before, ring, writer ?? ring.writer, this.names)) this.write(line);
    });
    cluster.network.onMessage = (sent) => {
      for (const line of messageLines(sent, this.names)) this.write(line);
    };
    cluster.listeners.owner = (machine, slot, what) => this.#ownerChange(machine, slot, what);
    cluster.listeners.said = (machine, level, text) => {
      if (level !== "debug") this.write(`${machine} says: ${this.names.inText(text)}`);
    };
  }

  /** One line; one that is the same as the line before is left out. */
  write(line: string): void {
    this.#flush();
    if (line !== this.lines.at(-1)) this.lines.push(line);
  }

  text(): string {
    this.#flush();
    return this.lines.join("\n") + "\n";
  }

  #ownerChange(machine: string, slot: number, what: string): void {
    const { steps } = this.cluster.scheduler;
    if (steps !== this.#bySlotAtStep) this.#flush();
    this.#bySlotAtStep = steps;
    this.#bySlot.push([slot, `${machine} ${what}`]);
  }

  #flush(): void {
    for (const [text, slots] of grouped(this.#bySlot.splice(0))) this.write(`${text}, slots ${slots}`);
  }
}
