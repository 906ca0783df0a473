import { KvError, messageOf } from "../platform/errors.ts";
import type { Clock, Log, Transport } from "../platform/ports.ts";
import { ringFromMessage } from "../ring/document.ts";
import { type NodeRef, type Ring, sameRef } from "../ring/ring.ts";
import { cluster } from "../rpc/methods.ts";
import type { Membership } from "./membership.ts";
import type { RingKeeper } from "./ring_keeper.ts";

const LOOK_MS = 100;
const ASK_AGAIN_MS = 500;
const TELL_MS = 1000;
const CALL_TIMEOUT_MS = 1000;
/** Without any master for so long a node does not wait to be let go. */
const MASTER_WAIT_MS = 5000;
/** The registration goes with the session in any case. */
const WITHDRAW_WAIT_MS = 1000;

export const UNLISTED = "the ring lists an earlier process on this folder, and not yet this one";

export interface LeavingOptions {
  readonly clock: Clock;
  readonly transport: Transport;
  readonly log: Log;
  readonly self: NodeRef;
  readonly rings: RingKeeper;
  readonly membership: Membership;
}

/** How a node goes in order: it asks the master to be let go and waits until nobody needs its copies any more. */
export class Leaving {
  #lastAskMs = -Infinity;
  #lastToldMs = -Infinity;
  #masterSeenMs: number;

  constructor(private readonly options: LeavingOptions) {
    this.#masterSeenMs = options.clock.monotonicMs();
  }

  /** Resolves when all that the node had is elsewhere, or with the reason why it has to keep it. */
  async run(): Promise<string | undefined> {
    const { clock, log, rings, membership } = this.options;
    // A node that is registered would be taken in again.
    await Promise.race([membership.withdraw(), clock.sleep(WITHDRAW_WAIT_MS)]);
    for (;;) {
      const held = rings.ring && holdings(rings.ring, this.options.self);
      if (held === undefined) return undefined;
      if (held.unlisted) return UNLISTED;
      if (!held.released) {
        const refusal = await this.#ask();
        if (refusal !== undefined) return refusal;
      } else if (held.owned + held.copied === 0) {
        log("info", "the node has left the cluster");
        return undefined;
      }
      this.#tell(held);
      await clock.sleep(LOOK_MS);
    }
  }

  /** Asks the active master, now and then. Returns why it is of no use to go on. */
  async #ask(): Promise<string | undefined> {
    const { clock, transport, self, rings } = this.options;
    const nowMs = clock.monotonicMs();
    if (nowMs - this.#lastAskMs < ASK_AGAIN_MS) return undefined;
    this.#lastAskMs = nowMs;
    const { writer } = rings.ring!;
    try {
      const reply = await transport.call(writer, cluster.leave, { node: self }, CALL_TIMEOUT_MS);
      this.#masterSeenMs = clock.monotonicMs();
      rings.offer(ringFromMessage(reply));
      return undefined;
    } catch (error) {
      if (error instanceof KvError && error.code === "refused") return error.message;
      const silentMs = clock.monotonicMs() - this.#masterSeenMs;
      return silentMs < MASTER_WAIT_MS ? undefined : `no master lets it go: ${messageOf(error)}`;
    }
  }

  #tell({ owned, copied }: Holdings): void {
    const { clock, log } = this.options;
    if (clock.monotonicMs() - this.#lastToldMs < TELL_MS) return;
    this.#lastToldMs = clock.monotonicMs();
    log("info", "leaving", { slotsToHandOver: owned, copiesToBeReplaced: copied });
  }
}

/** What a ring says of a process that is about to leave. */
export interface Holdings {
  readonly owned: number;
  /** Slots of others with which it is in sync. */
  readonly copied: number;
  /** An earlier process of the node is listed with that: nobody lets this one go, or lists it once it has withdrawn. */
  readonly unlisted: boolean;
  /** The master knows that it leaves. */
  readonly released: boolean;
}

/** Counts what the ring says the process still has. */
export function holdings({ nodes, standbys, slots }: Ring, self: NodeRef): Holdings {
  const owned = slots.filter(({ owner }) => owner?.id === self.id).length;
  const members = slots.filter(({ isr }) => isr.some(({ id }) => id === self.id)).length;
  const listed = [...nodes, ...standbys].find(({ ref }) => ref.id === self.id);
  const isEarlier = listed !== undefined && !sameRef(listed.ref, self);
  const released = listed === undefined || isEarlier || listed.leaving;
  return { owned, copied: members - owned, unlisted: isEarlier && members > 0, released };
}
