/** A cluster as the master's decisions see it: a ring, who is registered, who lives. For the tests of the decisions. */

import { assert, assertEquals } from "@std/assert";
import { type Answer, type Answers, type Loss, type View } from "../../core/cluster/decide/view.ts";
import { reconcile, toAsk } from "../../core/cluster/reconcile.ts";
import type { Registered } from "../../core/cluster/registration.ts";
import { checkRing } from "../../core/ring/check.ts";
import { createRing } from "../../core/ring/document.ts";
import { addressOf } from "../../core/ring/followers.ts";
import type { RingMark } from "../../core/ring/history.ts";
import { type NodeRef, type Ring, sameRef, type SlotEntry } from "../../core/ring/ring.ts";

export const SETTINGS = { msn: 137, hash: "fnv1a32", levels: 2 } as const;

/** A process that runs. */
export interface Living {
  readonly ref: NodeRef;
  readonly address: string;
  readonly role: "data" | "standby";
  stuck: boolean;
  unusable: Set<number>;
  registered: boolean;
  ring?: RingMark;
}

export class World {
  ring: Ring;
  replicas = 0;
  /** By id: at most one process runs on a folder. */
  readonly living = new Map<string, Living>();
  /** Given to {@link reconcile} as refused. */
  readonly refused = new Map<string, string>();

  constructor(msn: number = SETTINGS.msn) {
    this.ring = createRing({ ...SETTINGS, msn }, "cluster", "m", "n");
  }

  start(id: string, role: Living["role"], incarnation = 1, address = `${id}:${incarnation}`): Living {
    const process: Living = {
      ref: { id, incarnation },
      address,
      role,
      stuck: false,
      unusable: new Set(),
      registered: true,
    };
    this.living.set(id, process);
    return process;
  }

  /** Dead at once, for the coordinator too. */
  kill(...ids: string[]): void {
    for (const id of ids) this.living.delete(id);
  }

  entry(slot: number): SlotEntry {
    return this.ring.slots[slot]!;
  }

  /** Makes these processes, as they are listed, in sync with all slots that `which` wants. */
  sync(ids: readonly string[], which: (slot: number, entry: SlotEntry) => boolean = () => true): void {
    const refs = ids.map((id) => this.living.get(id)!.ref);
    const slots = this.ring.slots.map((entry, slot) => {
      if (!which(slot, entry)) return entry;
      const added = refs.filter((ref) => !entry.isr.some((member) => member.id === ref.id));
      return added.length === 0
        ? entry
        : { ...entry, isr: [...entry.isr, ...added], isrSeq: entry.isrSeq + 1 };
    });
    this.become({ ...this.ring, slots });
  }

  get view(): View {
    const { ring, replicas } = this;
    const registered = [...this.living.values()].filter((each) => each.registered);
    const of = (role: Living["role"]): Registered[] =>
      registered.filter((each) => this.#folder(each) === role).map(({ ref, address }) => ({
        ref,
        address,
        path: `/kv/${address}`,
        version: 1,
        refused: this.refused.get(ref.id),
      }));
    return {
      ring,
      replicas,
      data: of("data"),
      standbys: of("standby"),
      lost: this.#lost(),
      known: this.answers,
    };
  }

  get answers(): Answers {
    return new Map(
      [...this.living].map(([id, { ref, stuck, unusable, ring }]): [string, Answer] => [
        id,
        { ref, stuck, unusable, ...(ring === undefined ? {} : { ring }) },
      ]),
    );
  }

  /** One decision, carried out; false when there is none. Only those whom the master would ask answer. */
  step(): boolean {
    const { view, answers } = this;
    const asked = new Set(toAsk(view).map(({ ref }) => `${ref.id}/${ref.incarnation}`));
    const heard = new Map(
      [...answers].filter(([id, { ref }]) => asked.has(`${id}/${ref.incarnation}`)),
    );
    const decision = reconcile(view, heard);
    if (decision.kind === "nothing") return false;
    if (decision.kind === "refuse") this.refused.set(decision.candidate.ref.id, decision.reason);
    else this.become({ ...this.ring, ...decision.change, version: this.ring.version + 1 });
    return true;
  }

  /** Decides until there is nothing left to do. */
  settle(): this {
    for (let steps = 0; this.step(); steps++) assert(steps < 100, "the decisions do not come to rest");
    return this;
  }

  /** The next ring, if it may follow. */
  become(next: Ring): void {
    checkRing(next);
    for (const [slot, after] of next.slots.entries()) {
      const before = this.ring.slots[slot]!;
      assert(after.epoch >= before.epoch && after.isrSeq >= before.isrSeq, `slot ${slot} went back`);
      const sameOwner = sameRef(before.owner, after.owner);
      if (!sameOwner) assert(after.epoch > before.epoch, `slot ${slot}: another owner in one epoch`);
      if (!sameOwner || JSON.stringify(before.isr) !== JSON.stringify(after.isr)) {
        assert(after.isrSeq > before.isrSeq, `slot ${slot}: another in-sync set in one isrSeq`);
      }
      if (after.owner !== undefined) {
        assert(addressOf(next, after.owner) !== undefined, `the owner of slot ${slot} is not listed`);
      }
    }
    assertEquals(next.promiseMs, this.ring.promiseMs);
    this.ring = next;
  }

  #folder({ ref, role }: Living): Living["role"] {
    return this.ring.nodes.some((node) => node.ref.id === ref.id) ? "data" : role;
  }

  #lost(): Map<string, Loss> {
    const lost = new Map<string, Loss>();
    for (const { ref } of [...this.ring.nodes, ...this.ring.standbys]) {
      const living = this.living.get(ref.id);
      if (living === undefined || !sameRef(living.ref, ref)) lost.set(ref.id, "dead");
      else if (living.stuck) lost.set(ref.id, "stuck");
    }
    return lost;
  }
}

/** Data nodes that have joined one after the other, each having got its share, and standbys in sync with everything. */
export function cluster(data: readonly string[], standbys: readonly string[] = []): World {
  const world = new World();
  for (const id of data) {
    world.start(id, "data");
    world.settle();
  }
  share(world);
  for (const id of standbys) world.start(id, "standby");
  world.settle();
  world.sync(standbys);
  return world;
}

/** Every slot goes to the node that the rule wants, as by hand-overs that have ended. */
export function share(world: World): void {
  const { nodes } = world.ring;
  const distance = (a: number, b: number) => Math.min(Math.abs(a - b), SETTINGS.msn - Math.abs(a - b));
  const slots = world.ring.slots.map((entry, slot) => {
    const [nearest] = nodes.toSorted((a, b) =>
      distance(a.label, slot) - distance(b.label, slot) || a.label - b.label
    );
    if (nearest === undefined || sameRef(nearest.ref, entry.owner)) return entry;
    return { owner: nearest.ref, epoch: entry.epoch + 1, isr: [nearest.ref], isrSeq: entry.isrSeq + 1 };
  });
  world.become({ ...world.ring, slots });
}

export function slotsOf({ ring }: World, id: string): number[] {
  return [...ring.slots.keys()].filter((slot) => ring.slots[slot]!.owner?.id === id);
}
