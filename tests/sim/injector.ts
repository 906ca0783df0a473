import type { Cluster } from "./cluster.ts";
import { FAULTS } from "./faults.ts";
import type { Fault } from "./faults/fault.ts";
import type { SeededRandom } from "./world/random.ts";

/** Injects the faults that the plan has, until told to stop. */
export class FaultInjector {
  readonly #endings = new Set<() => void>();
  #stopped = false;

  constructor(readonly cluster: Cluster, readonly random: SeededRandom) {
    for (const fault of FAULTS) {
      const everyMs = cluster.plan.faultEveryMs.get(fault.name);
      if (everyMs !== undefined) this.#next(fault, everyMs, random.fork(fault.name));
    }
  }

  /** Ends everything that lasts; nothing new begins. */
  stop(): void {
    this.#stopped = true;
    for (const end of [...this.#endings]) end();
  }

  #next(fault: Fault, everyMs: number, random: SeededRandom): void {
    const { scheduler } = this.cluster;
    scheduler.after(random.exponential(everyMs), () => {
      if (this.#stopped) return;
      this.#inject(fault, random);
      this.#next(fault, everyMs, random);
    });
  }

  #inject(fault: Fault, random: SeededRandom): void {
    const { cluster } = this;
    const undo = fault.inject(cluster, random);
    if (undo === undefined) return;
    cluster.count(fault.name);
    cluster.trace(`fault: ${fault.name}`);
    if (undo === true) return;
    const end = () => {
      if (!this.#endings.delete(end)) return;
      cluster.trace(`fault ends: ${fault.name}`);
      undo();
    };
    this.#endings.add(end);
    cluster.scheduler.after(random.exponential(fault.lastsMs ?? 0), end);
  }
}
