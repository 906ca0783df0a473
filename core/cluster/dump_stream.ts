import type { DumpEntry, DumpPage, DumpRequest } from "../../proto/gen/kv/v1/kv.ts";
import { bytesFromBinary } from "../platform/binary.ts";
import { KvError } from "../platform/errors.ts";
import type { Clock, Incoming, Outgoing } from "../platform/ports.ts";
import type { Engine } from "../storage/engine.ts";
import type { SlotTable } from "./slot_table.ts";

/** A page of a dump is sent when it has reached this many bytes. */
const PAGE_BYTES = 256 * 1024;
/** What an entry takes besides its key and value, at most. */
const OVERHEAD_BYTES = 32;

/** What a dump needs of the slots of its node. */
export type DumpedSlots = Pick<SlotTable, "owned" | "ringVersion"> & {
  owner(slot: number): { checkAnswer(): void } | undefined;
};

/**
 * Answers one dump request: slot by slot, each as it is at one moment, waiting whenever the receiver is slow. Makes one
 * page in a turn of the event loop, so that it holds neither operations nor promises up, however large a slot is. In
 * memory are a page, and the keys of one slot.
 */
export class DumpStream implements Incoming<DumpRequest> {
  #pages: Generator<DumpPage> | undefined;
  #sending = false;
  #blocked = false;
  #over = false;

  constructor(
    private readonly engine: Engine,
    private readonly slots: DumpedSlots,
    private readonly clock: Clock,
    private readonly outgoing: Outgoing<DumpPage>,
  ) {}

  message(request: DumpRequest): void {
    if (this.#pages !== undefined) return;
    this.#pages = this.#dump(request);
    void this.#send(this.#pages);
  }

  drained(): void {
    this.#blocked = false;
    if (this.#pages !== undefined) void this.#send(this.#pages);
  }

  closed(): void {
    this.#over = true;
  }

  async #send(pages: Generator<DumpPage>): Promise<void> {
    if (this.#sending) return;
    this.#sending = true;
    while (!this.#over && !this.#blocked) {
      this.#sendPage(pages);
      await this.clock.nextTurn();
    }
    this.#sending = false;
  }

  #sendPage(pages: Generator<DumpPage>): void {
    try {
      const { value: page, done } = pages.next();
      if (!done) this.#blocked = !this.outgoing.send(page);
      else this.outgoing.end();
      this.#over ||= done === true;
    } catch (error) {
      this.#over = true;
      this.outgoing.cancel(error instanceof Error ? error : new Error(String(error)));
    }
  }

  *#dump({ slots, keysOnly }: DumpRequest): Generator<DumpPage> {
    const wanted = slots.length > 0 ? slots : this.slots.owned();
    let entries: DumpEntry[] = [];
    let pageBytes = 0;
    for (const slot of wanted) {
      for (const { key, value, version } of this.#entriesOf(slot, keysOnly)) {
        entries.push({ key: bytesFromBinary(key), value, version, slot });
        pageBytes += key.length + value.length + OVERHEAD_BYTES;
        if (pageBytes < PAGE_BYTES) continue;
        yield { entries };
        entries = [];
        pageBytes = 0;
      }
    }
    if (entries.length > 0) yield { entries };
  }

  /** As they are in this turn, in which they may be told: what is written later does not change them. */
  #entriesOf(slot: number, keysOnly: boolean) {
    const owner = this.slots.owner(slot);
    if (owner === undefined) {
      const fields = { slot, ringVersion: this.slots.ringVersion };
      throw new KvError("wrong-owner", `slot ${slot} is not served by this node`, fields);
    }
    const entries = this.engine.entries(slot, keysOnly);
    owner.checkAnswer();
    return entries;
  }
}
