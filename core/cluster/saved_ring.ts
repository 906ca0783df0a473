import { messageOf } from "../platform/errors.ts";
import type { Cancel, Clock, Disk, Log } from "../platform/ports.ts";
import { ringFromJson, ringToJson } from "../ring/document.ts";
import type { Ring } from "../ring/ring.ts";
import { readWhole, replaceFile } from "../storage/replace_file.ts";

const NAME = "ring.json";
/** Saving costs two syncs of the file system, for which writes of clients would have to wait. */
const PERIOD_MS = 1000;

/**
 * The newest ring that a node has taken, on its disk: it shows when the coordinator went back in time, and is what it can
 * be put right with. A ring that could not be saved is no harm: the one before shows it nearly as well.
 */
export class SavedRing {
  #next: Ring | undefined;
  #saving: Promise<void> | undefined;
  #cancel: Cancel | undefined;
  #notBeforeMs = 0;

  constructor(
    private readonly clock: Clock,
    private readonly disk: Disk,
    private readonly folder: string,
    private readonly log: Log,
  ) {}

  /** The ring of this cluster that was saved last; undefined when there is none that can be read. */
  load(clusterId: string | undefined): Ring | undefined {
    try {
      const content = readWhole(this.disk, `${this.folder}/${NAME}`);
      const ring = content && ringFromJson(new TextDecoder().decode(content));
      return ring?.clusterId === clusterId ? ring : undefined;
    } catch (error) {
      this.log("warn", "the saved ring cannot be read", { error: messageOf(error) });
      return undefined;
    }
  }

  /** Saves it soon, at most once in a while; of several in a row only the last. */
  save(ring: Ring): void {
    this.#next = ring;
    if (this.#cancel !== undefined || this.#saving !== undefined) return;
    const waitMs = Math.max(0, this.#notBeforeMs - this.clock.monotonicMs());
    this.#cancel = this.clock.after(waitMs, () => this.#start());
  }

  /** Saves what waits, at once; resolves when it is done. */
  async idle(): Promise<void> {
    if (this.#cancel !== undefined) this.#start();
    await this.#saving;
    if (this.#next !== undefined) await this.idle();
  }

  #start(): void {
    this.#cancel?.();
    this.#cancel = undefined;
    this.#saving = this.#run().finally(() => {
      this.#saving = undefined;
      if (this.#next !== undefined) this.save(this.#next);
    });
  }

  async #run(): Promise<void> {
    const ring = this.#next!;
    this.#next = undefined;
    this.#notBeforeMs = this.clock.monotonicMs() + PERIOD_MS;
    try {
      await replaceFile(this.disk, this.folder, NAME, new TextEncoder().encode(ringToJson(ring) + "\n"));
    } catch (error) {
      this.log("debug", "the ring could not be saved", { error: messageOf(error) });
    }
  }
}
