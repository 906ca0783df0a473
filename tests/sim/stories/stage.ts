import type { DataNode } from "../../../core/cluster/data_node.ts";
import type { WorkloadClient } from "../client.ts";
import { Cluster } from "../cluster.ts";
import type { Machine, Program } from "../machine.ts";
import { quietPlan } from "../quiet_plan.ts";
import { SeededRandom } from "../world/random.ts";
import { Recorder } from "./recorder.ts";

type Request = Parameters<WorkloadClient["operate"]>[1];
type Answer = Awaited<ReturnType<WorkloadClient["operate"]>>;

/** A script over a small cluster without any chance trouble, whose protocol events are told as text. */
export interface Story {
  /** Of its text file. */
  readonly name: string;
  /** One sentence: what the reader is to see. */
  readonly about: string;
  readonly masters?: number;
  readonly dataNodes?: number;
  readonly standbys?: number;
  readonly script: (stage: Stage) => Promise<void>;
}

const SEED = 1;

/** What a script can do. */
export class Stage {
  readonly cluster: Cluster;
  readonly recorder: Recorder;

  constructor(readonly story: Story) {
    const { masters = 2, dataNodes = 1, standbys = 2 } = story;
    this.cluster = new Cluster(quietPlan({ masters, dataNodes, standbys }), new SeededRandom(SEED));
    this.recorder = new Recorder(this.cluster);
  }

  /** A heading of the text: what the script does next. */
  scene(title: string): void {
    this.recorder.write(`\n# ${title}`);
  }

  machine(name: string): Machine<Program> {
    const found = this.cluster.machines.find((machine) => machine.name === name);
    if (found === undefined) throw new Error(`the story has no machine ${name}`);
    return found;
  }

  start(...names: string[]): void {
    for (const name of names) this.machine(name).start();
  }

  /** The machine that owns the key's slot by the ring. */
  ownerOf(key: string): Machine<Program> {
    const owner = this.cluster.rings.ring?.slots[this.cluster.slotOf(key)]?.owner;
    const machine = this.cluster.machineOf(owner?.id);
    if (machine === undefined) throw new Error(`nobody that lives owns the slot of ${key}`);
    return machine;
  }

  /** Machines whose copy of the slot is in sync by the ring. */
  inSync(slot: number): string[] {
    return (this.cluster.rings.ring?.slots[slot]?.isr ?? []).map(({ id }) =>
      this.cluster.machineOf(id)?.name ?? "?"
    );
  }

  async pass(ms: number): Promise<void> {
    const { scheduler } = this.cluster;
    await scheduler.runUntil(() => false, scheduler.nowMs + ms);
  }

  async until(what: string, done: () => boolean, withinMs = 20_000): Promise<void> {
    const { scheduler } = this.cluster;
    if (await scheduler.runUntil(done, scheduler.nowMs + withinMs)) return;
    throw new Error(`${this.story.name}: it did not happen within ${withinMs} ms that ${what}`);
  }

  put(key: string, value: string): Promise<Answer> {
    return this.#operate(key, { kind: "put", value });
  }

  get(key: string): Promise<Answer> {
    return this.#operate(key, { kind: "get" });
  }

  /** As an operator who knows that all owners are dead: every slot goes to the machine. */
  async force(name: string): Promise<void> {
    const { ring } = this.cluster.rings;
    const { program } = this.machine(name) as Machine<DataNode>;
    const slots = ring!.slots.map(({ epoch, isrSeq }, slot) => ({ slot, epoch, isrSeq }));
    const request = { slots, node: program!.self, by: "the story", ownerIsDead: true, acceptEmpty: false };
    let done = false;
    const forced = this.cluster.clients[0]!.program!.client.admin.forceOwner(request).then(() => done = true);
    await this.until("the slots were given away", () => done);
    await forced;
  }

  /** Asks and waits for the answer. */
  async #operate(key: string, request: Request): Promise<Answer> {
    const answer = this.ask(key, request);
    let given: Answer | undefined;
    answer.then((answer) => given = answer);
    await this.until(`${request.kind} ${key} was answered`, () => given !== undefined);
    return given!;
  }

  /** Asks, and goes on at once; the answer is told when it comes. */
  async ask(key: string, request: Request): Promise<Answer> {
    const { program } = this.cluster.clients[0]!;
    if (program === undefined) throw new Error("the client does not run");
    const words = request.kind === "put" ? `put ${key} = ${request.value}` : `${request.kind} ${key}`;
    this.recorder.write(`client: ${words} (slot ${this.cluster.slotOf(key)})`);
    const answer = await program.operate(key, request, 10_000);
    this.recorder.write(`client: ${words}: ${answerText(answer)}`);
    return answer;
  }
}

function answerText(answer: Answer): string {
  switch (answer.kind) {
    case "value":
      return `${answer.value}, version ${answer.version}`;
    case "written":
      return `${answer.existed ? "updated" : "created"}, version ${answer.version}`;
    default:
      return answer.kind;
  }
}

/** Plays a story; its text, or an error when it broke an invariant or did not come to its end. */
export async function tell(story: Story): Promise<string> {
  const stage = new Stage(story);
  for (const line of [story.name, "=".repeat(story.name.length), story.about]) stage.recorder.write(line);
  stage.start(...stage.cluster.clients.map(({ name }) => name));
  await story.script(stage);
  const { violations } = stage.cluster;
  if (violations.length > 0) throw new Error(`${story.name}: ${violations[0]}`);
  return stage.recorder.text();
}
