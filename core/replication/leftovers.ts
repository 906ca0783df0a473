import type { OldCopy } from "../../proto/gen/kv/v1/cluster.ts";
import { messageOf } from "../platform/errors.ts";
import type { Cancel, Clock, Log, Transport } from "../platform/ports.ts";
import { addressOf, hasUseFor, placementOf } from "../ring/followers.ts";
import type { NodeRef, Ring, SlotEntry } from "../ring/ring.ts";
import { slotRuns } from "../ring/slot_runs.ts";
import { cluster } from "../rpc/methods.ts";
import type { Engine, SlotView } from "../storage/engine.ts";
import type { Replicas } from "./replicas.ts";

/** A copy is asked for when two looks in a row have found it without use, in the same state of the ring's entry. */
const LOOK_EVERY_MS = 3000;
const ASK_AGAIN_MS = 200;
const CALL_TIMEOUT_MS = 1000;
/** Each costs a sync, and the time to take its keys out of memory. */
const DELETED_PER_LOOK_MAX = 32;

export interface LeftoversParts {
  readonly self: NodeRef;
  readonly engine: Engine;
  readonly clock: Clock;
  readonly log: Log;
  readonly transport: Transport;
  readonly replicas: Replicas;
  readonly ring: () => Ring | undefined;
}

/** A copy that the ring has no use for, and the slot's entry that says so. */
interface Leftover {
  readonly slot: number;
  readonly entry: SlotEntry;
}

/**
 * The copies that this node has of slots that it neither owns nor is to follow: deleted one by one, each only after the
 * slot's owner has agreed, see `letting_go.ts`. All others are kept as they are.
 */
export class Leftovers {
  readonly #cancel: Cancel;
  /** Those of the last look, by slot. */
  #before = new Map<number, SlotEntry>();
  #busy = false;
  #stopped = false;

  constructor(private readonly parts: LeftoversParts) {
    this.#cancel = parts.clock.every(LOOK_EVERY_MS, () => void this.#look());
  }

  stop(): void {
    this.#stopped = true;
    this.#cancel();
  }

  /** Deletes what may go without waiting for a second look, and ends: the node has left. The rest stays after so long. */
  async settle(withinMs: number): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    const cancel = this.parts.clock.after(withinMs, resolve);
    await Promise.race([this.#deleteAll().then(() => this.parts.engine.compacted()), promise]);
    cancel();
    this.stop();
    this.#tellKept();
  }

  #tellKept(): void {
    const ring = this.parts.ring();
    const slots = ring === undefined ? [] : this.#found(ring).map(({ slot }) => slot);
    if (slots.length === 0) return;
    const message = "copies stay in the folder: their owners have not let them go";
    this.parts.log("info", message, { slots: slotRuns(slots) });
  }

  async #deleteAll(): Promise<void> {
    const { clock, ring } = this.parts;
    for (let known = ring(); known !== undefined && !this.#stopped; known = ring()) {
      const found = this.#found(known);
      if (found.length === 0) return;
      await this.#deleteAgreed(known, found);
      await clock.sleep(ASK_AGAIN_MS);
    }
  }

  async #look(): Promise<void> {
    const { self, ring } = this.parts;
    const known = ring();
    // One that is not listed is about to join, and will need what it has.
    if (known === undefined || addressOf(known, self) === undefined) return this.#before.clear();
    const found = this.#found(known);
    const lasting = found.filter(({ slot, entry }) => isSame(this.#before.get(slot), entry));
    this.#before = new Map(found.map(({ slot, entry }) => [slot, entry]));
    if (lasting.length > 0) await this.#deleteAgreed(known, lasting);
  }

  #found(ring: Ring): Leftover[] {
    const { self, engine } = this.parts;
    const placement = placementOf(ring);
    return ring.slots.flatMap((entry, slot) => {
      const isOf = entry.owner !== undefined && isHeld(engine.slot(slot));
      return isOf && !hasUseFor(ring, slot, self.id, placement) ? [{ slot, entry }] : [];
    });
  }

  async #deleteAgreed(ring: Ring, leftovers: readonly Leftover[]): Promise<void> {
    if (this.#busy) return;
    this.#busy = true;
    try {
      const byOwner = Map.groupBy(leftovers, ({ entry: { owner } }) => `${owner!.id}/${owner!.incarnation}`);
      const agreed = await Promise.all([...byOwner.values()].map((each) => this.#ask(ring, each)));
      await this.#delete(ring, agreed.flat().slice(0, DELETED_PER_LOOK_MAX));
    } catch (error) {
      this.parts.log("debug", "old copies are not deleted yet", { error: messageOf(error) });
    }
    this.#busy = false;
  }

  /** Those of the copies, of slots of one owner, that may go. */
  async #ask(ring: Ring, leftovers: readonly Leftover[]): Promise<readonly Leftover[]> {
    const { self, transport, replicas, log } = this.parts;
    const to = leftovers[0]!.entry.owner!;
    const address = addressOf(ring, to);
    if (address === undefined) return [];
    const copies = leftovers.map(({ slot, entry: { epoch, isrSeq } }): OldCopy => (
      { position: replicas.offer(slot, epoch), isrSeq }
    ));
    const request = { from: self, to, copies };
    try {
      const { slots } = await transport.call(address, cluster.letGo, request, CALL_TIMEOUT_MS);
      return leftovers.filter(({ slot }) => slots.includes(slot));
    } catch (error) {
      log("debug", "an owner does not say whether copies may go", { node: to.id, error: messageOf(error) });
      return [];
    }
  }

  /** The agreement is void as soon as a newer ring is known: then all of it is looked at anew. */
  async #delete(asked: Ring, agreed: readonly Leftover[]): Promise<void> {
    const { engine, replicas, ring } = this.parts;
    const deleted: number[] = [];
    let keys = 0;
    try {
      for (const { slot, entry } of agreed) {
        const held = engine.slot(slot).keys;
        if (this.#stopped || ring() !== asked || !replicas.letGo(slot, entry.epoch)) continue;
        deleted.push(slot);
        keys += held;
        await new Promise<void>((resolve) => engine.whenSynced(resolve));
      }
    } finally {
      if (deleted.length > 0) this.#tell(deleted, keys);
    }
    // The log and the files are rid of them sooner.
    if (deleted.length > 0 && agreed.length < DELETED_PER_LOOK_MAX) await engine.checkpoint();
  }

  #tell(deleted: readonly number[], keys: number): void {
    const slots = slotRuns(deleted.toSorted((a, b) => a - b));
    const message = "copies of slots that have moved away are deleted";
    this.parts.log(keys > 0 ? "info" : "debug", message, { slots, keys });
  }
}

/** Nobody can tell what a damaged copy had: it stays. */
function isHeld({ lastLsn, keys, incomplete, damage }: SlotView): boolean {
  return damage === undefined && (lastLsn > 0 || keys > 0 || incomplete);
}

function isSame(a: SlotEntry | undefined, b: SlotEntry): boolean {
  return a?.epoch === b.epoch && a.isrSeq === b.isrSeq;
}
