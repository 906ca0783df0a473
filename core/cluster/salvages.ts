import type { SalvageReport } from "../../proto/gen/kv/v1/admin.ts";
import { bytesFromBinary } from "../platform/binary.ts";
import { messageOf } from "../platform/errors.ts";
import type { Cancel, Clock, Log } from "../platform/ports.ts";
import type { Engine, SlotView } from "../storage/engine.ts";
import type { Salvaged } from "../storage/salvage.ts";

/** So many lost keys are told one by one. */
const TOLD_MAX = 1000;
const RETRY_MS = 1000;

export interface SalvagesParts {
  readonly engine: Engine;
  readonly clock: Clock;
  readonly log: Log;
  /** The slot's copy is of the lineage now, or it is time to try again. */
  readonly ended: (slot: number) => void;
}

/**
 * The copies of this node that are taken as they are, because an operator made it their owner by force: what became of
 * each is remembered as long as the process lives, and told in the log.
 */
export class Salvages {
  readonly #reports = new Map<number, SalvageReport>();
  readonly #running = new Set<number>();
  readonly #retries = new Set<Cancel>();
  #stopped = false;

  constructor(private readonly parts: SalvagesParts) {}

  report(slot: number): SalvageReport | undefined {
    return this.#reports.get(slot);
  }

  isRunning(slot: number): boolean {
    return this.#running.has(slot);
  }

  /** Makes what the node has of the slot its state at the start of the lineage. */
  async begin(slot: number, lineage: number): Promise<void> {
    const { engine, clock, log, ended } = this.parts;
    if (this.#running.has(slot)) return;
    this.#running.add(slot);
    try {
      const before = { ...endOf(engine.slot(slot)), unusable: whyUnusable(engine.slot(slot)) };
      const report = reportOf(await engine.rescue.salvage(slot, lineage), lineage, before);
      this.#reports.set(slot, report);
      const { keysKept, keysLost, lastEpoch, lastLsn, unusable } = report;
      const keys = report.lost.map((key) => new TextDecoder().decode(key));
      const lost = keysLost === 0 ? {} : { keysLost, keys: JSON.stringify(keys) };
      log("warn", "a copy is used as it is, by an operator's will", {
        ...{ slot, lineage, lastEpoch, lastLsn, unusable, keysKept },
        ...lost,
      });
      this.#running.delete(slot);
      if (!this.#stopped) ended(slot);
    } catch (error) {
      log("error", "a copy could not be made the slot's state", { slot, error: messageOf(error) });
      if (engine.failure !== undefined || this.#stopped) return;
      const cancel = clock.after(RETRY_MS, () => {
        this.#retries.delete(cancel);
        this.#running.delete(slot);
        ended(slot);
      });
      this.#retries.add(cancel);
    }
  }

  /** Nothing is begun any more. */
  stop(): void {
    this.#stopped = true;
    for (const cancel of this.#retries) cancel();
  }
}

/** Why a copy cannot be used as it is; empty: it can. */
export function whyUnusable({ damage, incomplete }: SlotView): string {
  if (damage !== undefined) return `${damage.reason} (${damage.file}, byte ${damage.offset})`;
  return incomplete ? "only a part of it is here" : "";
}

function endOf({ lastEpoch, lastLsn }: SlotView) {
  return { lastEpoch, lastLsn };
}

function reportOf(
  { kept, lost }: Salvaged,
  lineage: number,
  before: Pick<SalvageReport, "lastEpoch" | "lastLsn" | "unusable">,
): SalvageReport {
  const told = lost.slice(0, TOLD_MAX).map((key) => bytesFromBinary(key));
  return { lineage, ...before, keysKept: kept, keysLost: lost.length, lost: told };
}
