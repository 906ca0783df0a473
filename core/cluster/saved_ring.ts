import { messageOf } from "../platform/errors.ts";
import type { Disk, Log } from "../platform/ports.ts";
import { ringFromJson, ringToJson } from "../ring/document.ts";
import type { Ring } from "../ring/ring.ts";
import { readWhole, replaceFile } from "../storage/replace_file.ts";

const NAME = "ring.json";

/**
 * The newest ring that a node has taken, on its disk: it shows when the coordinator went back in time, and is what it can
 * be put right with. A ring that could not be saved is no harm: the one before shows it nearly as well.
 */
export class SavedRing {
  #next: Ring | undefined;
  #saving: Promise<void> | undefined;

  constructor(private readonly disk: Disk, private readonly folder: string, private readonly log: Log) {}

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

  /** Saves it soon; of several in a row only the last. */
  save(ring: Ring): void {
    this.#next = ring;
    this.#saving ??= this.#run();
  }

  /** Resolves when nothing is being written. */
  async idle(): Promise<void> {
    await this.#saving;
  }

  async #run(): Promise<void> {
    await Promise.resolve();
    for (let ring = this.#next; ring !== undefined; ring = this.#next) {
      this.#next = undefined;
      try {
        await replaceFile(this.disk, this.folder, NAME, new TextEncoder().encode(ringToJson(ring) + "\n"));
      } catch (error) {
        this.log("debug", "the ring could not be saved", { error: messageOf(error) });
      }
    }
    this.#saving = undefined;
  }
}
