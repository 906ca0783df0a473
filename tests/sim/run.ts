import { Cluster } from "./cluster.ts";
import { checkHistory } from "./history.ts";
import { FaultInjector } from "./injector.ts";
import { drawPlan } from "./plan.ts";
import { SeededRandom } from "./world/random.ts";

/** What came out of one run. */
export interface RunReport {
  readonly seed: number;
  readonly violations: readonly string[];
  /** Keys whose history was too much for the checkers: neither good nor bad. */
  readonly gaveUp: readonly string[];
  readonly operations: number;
  /** Answers by kind. */
  readonly answers: Readonly<Record<string, number>>;
  /** Faults and what followed from them, by kind. */
  readonly counts: Readonly<Record<string, number>>;
  readonly virtualMs: number;
  readonly events: number;
  readonly traceHash: string;
}

export interface RunOptions {
  /** Default 2000. */
  readonly operations?: number;
  /** Called with each line of a readable trace. */
  readonly onTrace?: (line: string) => void;
}

const LOAD_MS_MAX = 180_000;
const RECOVERY_MS_MAX = 60_000;

/** Runs one seed: load under faults, then calm, then everything must be writable and explainable. */
export async function runSeed(seed: number, options: RunOptions = {}): Promise<RunReport> {
  const random = new SeededRandom(seed);
  const plan = drawPlan(random, options.operations ?? 2000);
  const cluster = new Cluster(plan, random, options.onTrace);
  const rejected = (event: PromiseRejectionEvent) => {
    event.preventDefault();
    const { reason } = event;
    cluster.violated(`unhandled rejection: ${reason instanceof Error ? reason.stack : reason}`);
  };
  globalThis.addEventListener("unhandledrejection", rejected);
  try {
    await new Run(cluster, random).go();
  } finally {
    globalThis.removeEventListener("unhandledrejection", rejected);
  }
  return report(seed, cluster);
}

class Run {
  constructor(readonly cluster: Cluster, readonly random: SeededRandom) {}

  async go(): Promise<void> {
    const { cluster } = this;
    this.#startAll(this.random.fork("starts"));
    const faults = new FaultInjector(cluster, this.random.fork("faults"));
    await this.#until(() => cluster.workload.left <= 0, LOAD_MS_MAX);
    cluster.workload.left = 0;
    faults.stop();
    cluster.calmDown();
    if (cluster.plan.finalPowerLoss) {
      for (const machine of cluster.nodes) {
        machine.kill("power");
        if (!machine.borrows) machine.start();
      }
    }
    await this.#recover();
  }

  /** Masters and the first data node come early, the other data nodes when they like, while clients write. */
  #startAll(random: SeededRandom): void {
    const { masters, nodes, clients, plan } = this.cluster;
    for (const machine of masters) machine.startIn(random.below(300));
    nodes.forEach((machine, i) => machine.startIn(random.below(i === 0 ? 500 : plan.startWithinMs)));
    for (const machine of clients) machine.startIn(random.below(3000));
  }

  /** Every key that is not damaged can be written within the time, and two clients then read what was written last. */
  async #recover(): Promise<void> {
    const { cluster } = this;
    const writer = cluster.clients[0]!;
    const reader = cluster.clients.at(-1)!;
    let waiting = cluster.plan.keys.length;
    for (const key of cluster.plan.keys) {
      void (async () => {
        while (!await writable(writer, key) && !cluster.workload.damagedKeys.has(key)) await this.#pause(500);
        for (const { program } of [writer, reader]) {
          await program?.operate(key, { kind: "get" }, RECOVERY_MS_MAX);
        }
        waiting--;
      })();
    }
    const done = await this.#until(() => waiting === 0, RECOVERY_MS_MAX);
    if (!done && cluster.violations.length === 0) {
      cluster.violated(
        `${waiting} keys were not writable ${RECOVERY_MS_MAX} ms after the faults had stopped`,
      );
    }
    // Answers that come after this are of no interest any more.
    await this.#until(() => false, 1);
  }

  #pause(delayMs: number): Promise<void> {
    return new Promise((resolve) => this.cluster.scheduler.after(delayMs, resolve));
  }

  /** Steps until `done`, a violation, or the time has passed. */
  async #until(done: () => boolean, withinMs: number): Promise<boolean> {
    const { scheduler, violations } = this.cluster;
    const finished = await scheduler.runUntil(
      () => violations.length > 0 || done(),
      scheduler.nowMs + withinMs,
    );
    return finished && violations.length === 0;
  }
}

async function writable({ program }: Cluster["clients"][number], key: string): Promise<boolean> {
  if (program === undefined) throw new Error("the client does not run");
  const { kind } = await program.operate(key, { kind: "put", value: program.value() }, 5000);
  return kind === "written";
}

function report(seed: number, cluster: Cluster): RunReport {
  const checked = checkHistory(cluster.history);
  const { scheduler, history, network, ensemble, counts } = cluster;
  const all = new Map([...counts, ...network.counts, ...ensemble.counts]);
  return {
    seed,
    violations: [...cluster.violations, ...checked.violations],
    gaveUp: checked.gaveUp,
    operations: history.asked,
    answers: Object.fromEntries(history.answers),
    counts: Object.fromEntries(all),
    virtualMs: scheduler.nowMs,
    events: scheduler.steps,
    traceHash: scheduler.traceHash,
  };
}
