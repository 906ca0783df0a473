import type { Cancel, Clock } from "../platform/ports.ts";
import { type NodeRef, type Ring, sameRef } from "../ring/ring.ts";

interface Heard {
  readonly ref: NodeRef;
  atMs: number;
  /** Its stream broke since it was last heard. */
  broken: boolean;
  toldMs: number;
}

const TELL_AGAIN_MS = 200;

/**
 * Tells the master of owners that have gone silent: the first sign of a dead or cut-off data node. Only a member in
 * sync bears witness: owners keep a stream to each of theirs, and end it when they have nothing more to say to another.
 */
export class OwnerWatch {
  readonly #heard = new Map<string, Heard>();
  #cancel: Cancel | undefined;

  constructor(
    private readonly clock: Clock,
    private readonly self: NodeRef,
    private readonly ring: () => Ring | undefined,
    private readonly suspect: (ref: NodeRef) => void,
  ) {}

  heard(ref: NodeRef): void {
    const known = this.#heard.get(ref.id);
    const atMs = this.clock.monotonicMs();
    if (known === undefined || !sameRef(known.ref, ref)) {
      this.#heard.set(ref.id, { ref, atMs, broken: false, toldMs: -Infinity });
    } else {
      known.atMs = atMs;
      known.broken = false;
    }
    const { promiseMs } = this.ring() ?? { promiseMs: 0 };
    if (promiseMs > 0) this.#cancel ??= this.clock.every(promiseMs / 4, () => this.#look());
  }

  broken(ref: NodeRef): void {
    const known = this.#heard.get(ref.id);
    if (known === undefined || !sameRef(known.ref, ref)) return;
    known.broken = true;
    this.#look();
  }

  stop(): void {
    this.#cancel?.();
    this.#heard.clear();
  }

  #look(): void {
    const ring = this.ring();
    if (ring === undefined) return;
    const nowMs = this.clock.monotonicMs();
    const owners = ownersCopiedBy(ring, this.self);
    for (const [id, heard] of this.#heard) {
      if (!owners.has(id)) this.#heard.delete(id);
      else if (!heard.broken && nowMs - heard.atMs < ring.promiseMs) continue;
      else if (nowMs - heard.toldMs >= TELL_AGAIN_MS) {
        heard.toldMs = nowMs;
        this.suspect(heard.ref);
      }
    }
  }
}

/** The ids of those who own a slot for which the node is in sync. */
function ownersCopiedBy({ slots }: Ring, self: NodeRef): Set<string | undefined> {
  const copied = slots.filter(({ isr }) => isr.some(({ id }) => id === self.id));
  return new Set(copied.map(({ owner }) => owner?.id));
}
