import { answerOfError, answerOfGet, answerOfWrite } from "../../core/check/answer.ts";
import type { Answer, Condition, Request } from "../../core/check/history.ts";
import type { Client } from "../../core/client/api.ts";
import { connect } from "../../core/client/client.ts";
import { KvError, messageOf } from "../../core/platform/errors.ts";
import type { Address, World } from "../../core/platform/ports.ts";
import type { History } from "./history.ts";
import type { Program } from "./machine.ts";
import type { Plan } from "./plan.ts";
import type { SeededRandom } from "./world/random.ts";

/** What all clients of a run share. */
export interface Workload {
  readonly plan: Plan;
  readonly history: History;
  readonly masters: readonly Address[];
  /** Operations still to be asked for. */
  left: number;
  /** Values written so far. */
  values: number;
  /** The last version that anybody was told of a key: what conditional writes compare with. */
  readonly versions: Map<string, number>;
  /** Bits of data files were turned over: only then may keys be reported damaged. */
  rotten: boolean;
  readonly violated: (what: string) => void;
  readonly trace: (text: string) => void;
}

/** A program that uses kv: several loops of operations, each recorded from the call to the answer. */
export class WorkloadClient implements Program {
  readonly stopped = new Promise<undefined>(() => {});
  readonly client: Client;

  constructor(
    readonly name: string,
    readonly world: World,
    readonly random: SeededRandom,
    readonly workload: Workload,
  ) {
    const { clock, transport, log } = world;
    this.client = connect({ masters: workload.masters, clock, random: world.random, transport, log });
  }

  start(): Promise<void> {
    for (let i = 0; i < this.workload.plan.clientConcurrency; i++) void this.#loop();
    return Promise.resolve();
  }

  stop(): Promise<void> {
    this.client.close();
    return Promise.resolve();
  }

  /** Asks, records, and says what came. */
  async operate(key: string, request: Request, timeoutMs: number): Promise<Answer> {
    const { history, trace, versions } = this.workload;
    const operation = history.begin(key, request, this.name);
    let answer: Answer | undefined;
    try {
      answer = await this.#carryOut(key, request, timeoutMs);
    } catch (error) {
      answer = answerOfError(error);
      trace(`${this.name}: ${request.kind} ${key}: ${messageOf(error)}`);
      if (answer === undefined) this.workload.violated(`${this.name} was told: ${messageOf(error)}`);
      if (error instanceof KvError && error.code === "damaged" && !this.workload.rotten) {
        this.workload.violated(`damage without a cause: ${error.message}`);
      }
    }
    history.end(key, operation, answer ?? { kind: "unknown" });
    if (answer !== undefined && "version" in answer) versions.set(key, answer.version);
    trace(
      `${this.name}: ${JSON.stringify({ key, ...request, value: undefined })} -> ${JSON.stringify(answer)}`,
    );
    return answer ?? { kind: "unknown" };
  }

  /** A value that nobody has written before. */
  value(): string {
    const { plan } = this.workload;
    const length = this.random.chance(0.2) ? this.random.below(plan.valueBytesMax) : 0;
    return `${this.name}-${++this.workload.values}`.padEnd(length, ".");
  }

  async #carryOut(key: string, request: Request, timeoutMs: number): Promise<Answer> {
    if (request.kind === "get") return answerOfGet(await this.client.get(key, { timeoutMs }));
    const { condition } = request;
    const options = condition === undefined
      ? { timeoutMs }
      : condition.kind === "absent"
      ? { timeoutMs, ifAbsent: true }
      : { timeoutMs, ifVersion: condition.version };
    if (request.kind === "put") return answerOfWrite(await this.client.put(key, request.value, options));
    return answerOfWrite(await this.client.delete(key, options));
  }

  async #loop(): Promise<void> {
    const { workload, random, world } = this;
    const { plan } = workload;
    while (workload.left > 0) {
      workload.left--;
      const key = this.#key();
      await this.operate(key, this.#request(key), random.pick([300, 1000, 3000, 8000]));
      if (!random.chance(0.3)) await world.clock.sleep(random.exponential(plan.thinkMs));
    }
  }

  /** Few keys at first, all of them later, so that slots stay unwritten for a while; half of all on one of them. */
  #key(): string {
    const { workload, random } = this;
    return random.chance(0.5) ? hotKey(workload) : workload.plan.keys[random.below(knownKeys(workload))]!;
  }

  #request(key: string): Request {
    const { random } = this;
    const { get, put, delete: remove, conditional } = this.workload.plan.mix;
    let at = random.number() * (get + put + remove + conditional);
    if ((at -= get) < 0) return { kind: "get" };
    if ((at -= put) < 0) return { kind: "put", value: this.value() };
    if ((at -= remove) < 0) return { kind: "delete" };
    const condition = this.#condition(key);
    return random.chance(0.7)
      ? { kind: "put", value: this.value(), condition }
      : { kind: "delete", condition };
  }

  #condition(key: string): Condition {
    const version = this.workload.versions.get(key) ?? 0;
    if (version === 0 || this.random.chance(0.3)) return { kind: "absent" };
    return { kind: "version", version };
  }
}

/** How many of the keys are in use by now. */
function knownKeys({ plan: { keys, operations }, left }: Workload): number {
  const share = 1 - left / operations;
  return Math.max(1, Math.ceil(keys.length * Math.min(1, 1.5 * share)));
}

/** The key that half of all operations are on. */
export function hotKey(workload: Workload): string {
  const { plan, left } = workload;
  return plan.keys[Math.floor((1 - left / plan.operations) * 7) % knownKeys(workload)]!;
}
