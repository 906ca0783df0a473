import { Cluster } from "./cluster.ts";
import { differences, mustBeWritable } from "./convergence.ts";
import { checkHistory } from "./history.ts";
import { FaultInjector } from "./injector.ts";
import { drawPlan, REPLICATION } from "./plan.ts";
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

  /**
   * Every key of which a good copy is in sync can be written within the time, two clients then read what was written
   * last, and in the end all copies are equal.
   */
  async #recover(): Promise<void> {
    const { cluster } = this;
    const untilMs = cluster.scheduler.nowMs + RECOVERY_MS_MAX;
    const waiting = new Set(cluster.plan.keys);
    for (const key of cluster.plan.keys) void this.#writeAndRead(key).then(() => waiting.delete(key));
    const missed = () => [...waiting].filter((key) => mustBeWritable(cluster, cluster.slotOf(key)));
    await this.#until(() => waiting.size === 0, RECOVERY_MS_MAX);
    if (missed().length > 0) {
      this.#late(`${missed().length} keys could not be written and read, the first of them ${missed()[0]}`);
    }
    if (REPLICATION) {
      for (let left = differences(cluster); left.length > 0; left = differences(cluster)) {
        if (await this.#until(() => false, 500) || cluster.violations.length > 0) return;
        if (cluster.scheduler.nowMs > untilMs) {
          return this.#late(`${left.length} differences between copies: ${left.slice(0, 3).join("; ")}`);
        }
      }
    }
    // Answers that come after this are of no interest any more.
    await this.#until(() => false, 1);
  }

  async #writeAndRead(key: string): Promise<void> {
    const writer = this.cluster.clients[0]!;
    const reader = this.cluster.clients.at(-1)!;
    while (!await writable(writer, key)) await this.#pause(500);
    for (const { program } of [writer, reader]) await program?.operate(key, { kind: "get" }, RECOVERY_MS_MAX);
  }

  #late(what: string): void {
    if (this.cluster.violations.length > 0) return;
    this.cluster.violated(`${RECOVERY_MS_MAX} ms after the faults had stopped ${what}`);
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
  // Where an operator accepted the loss of writes, nothing is promised.
  const isVoid = (key: string) => cluster.invariants.truth(cluster.slotOf(key)).lineage > 0;
  const checked = checkHistory(cluster.history, isVoid);
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
