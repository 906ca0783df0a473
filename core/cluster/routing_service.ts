import type { PingReply, StatusReply, WatchRingRequest } from "../../proto/gen/kv/v1/kv.ts";
import type { Ring as RingMessage } from "../../proto/gen/kv/v1/ring.ts";
import { KvError } from "../platform/errors.ts";
import type { Cancel, Incoming, Outgoing, Services } from "../platform/ports.ts";
import { ringToMessage } from "../ring/document.ts";
import { fnv1a32 } from "../ring/hash.ts";
import { membersOf } from "../ring/owners.ts";
import { slotOf } from "../ring/placement.ts";
import { type Ring, sameRef } from "../ring/ring.ts";
import { routing } from "../rpc/methods.ts";
import type { RingKeeper } from "./ring_keeper.ts";

/** What the server says of itself. */
export interface SelfDescription {
  ping(): PingReply;
  status(): StatusReply;
}

/** Binds the service `Routing`, which masters and data nodes serve alike from the newest ring that they know. */
export function bindRouting(services: Services, rings: RingKeeper, self: SelfDescription): void {
  services.unary(routing.getRing, () => ringToMessage(knownRing(rings)));
  services.stream(routing.watchRing, (outgoing) => new RingWatch(rings, outgoing));
  services.unary(routing.getSlot, ({ key }) => {
    const ring = knownRing(rings);
    const hash = fnv1a32(key);
    const slot = slotOf(hash, ring.settings.msn);
    const entry = ring.slots[slot]!;
    const found = membersOf(ring).find((node) => sameRef(node.ref, entry.owner));
    const owner = found && { ...found, label: Math.max(0, found.label) };
    return { hash, slot, epoch: entry.epoch, ringVersion: ring.version, owner };
  });
  services.unary(routing.ping, () => self.ping());
  services.unary(routing.status, () => self.status());
}

function knownRing(rings: RingKeeper): Ring {
  if (rings.ring === undefined) throw new KvError("unavailable", "this server has not seen a ring yet");
  return rings.ring;
}

/** Sends the ring that is known and each newer one; of several that wait for a slow receiver only the newest. */
class RingWatch implements Incoming<WatchRingRequest> {
  #stop: Cancel = () => {};
  #blocked = false;
  #waiting: Ring | undefined;

  constructor(private readonly rings: RingKeeper, private readonly outgoing: Outgoing<RingMessage>) {}

  message({ aboveVersion }: WatchRingRequest): void {
    this.#stop();
    this.#stop = this.rings.onRing((ring) => this.#send(ring));
    const { ring } = this.rings;
    if (ring !== undefined && ring.version > aboveVersion) this.#send(ring);
  }

  drained(): void {
    this.#blocked = false;
    const waiting = this.#waiting;
    this.#waiting = undefined;
    if (waiting !== undefined) this.#send(waiting);
  }

  closed(): void {
    this.#stop();
  }

  #send(ring: Ring): void {
    if (this.#blocked) this.#waiting = ring;
    else this.#blocked = !this.outgoing.send(ringToMessage(ring));
  }
}
