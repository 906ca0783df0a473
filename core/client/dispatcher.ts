/**
 * Brings operations to the owners of their slots, again and again where that makes sense, until there is an answer or
 * the time limit passes.
 */

import type { Reply } from "../../proto/gen/kv/v1/kv.ts";
import { KvError } from "../platform/errors.ts";
import type { Cancel } from "../platform/ports.ts";
import { uuidV7 } from "../platform/random.ts";
import { membersOf, NO_LABEL } from "../ring/owners.ts";
import { type Ring, sameRef } from "../ring/ring.ts";
import { answerOf, changedNothing } from "./answer.ts";
import { backoffMs } from "./backoff.ts";
import type { ConnectionListener, ConnectionPorts } from "./connection.ts";
import type { Operation } from "./operation.ts";
import type { RingSource } from "./ring_source.ts";
import { Routes } from "./routes.ts";
import { WriteIds } from "./write_ids.ts";

/** Time limits and waiting operations are looked at so often, while there are operations. */
const SWEEP_PERIOD_MS = 20;
/** Who stays for longer than this is ready for other owners. */
const EARLY_AFTER_MS = 1000;
/** An operation that waits for a ring is sent again after this time even without. */
const RING_WAIT_MS = 250;

export class Dispatcher implements ConnectionListener {
  /** All that are not done. */
  readonly #operations = new Set<Operation>();
  /** Those in state "waiting". */
  readonly #waiting = new Set<Operation>();
  /** No operation's deadline lies before; so most sweeps need not look at each of them. */
  #nextDeadlineMs = Infinity;
  #sweeper: Cancel | undefined = undefined;
  #cancelEarly: Cancel | undefined = undefined;
  readonly #routes: Routes;
  #ids: WriteIds;

  constructor(private readonly ports: ConnectionPorts, private readonly source: RingSource) {
    this.#routes = new Routes(ports, this);
    this.#ids = this.#newIds();
  }

  /** For new writes. */
  get ids(): WriteIds {
    return this.#ids;
  }

  start(operation: Operation): void {
    this.#operations.add(operation);
    if (operation.deadlineMs < this.#nextDeadlineMs) this.#nextDeadlineMs = operation.deadlineMs;
    this.#cancelEarly ??= this.ports.clock.after(EARLY_AFTER_MS, () => this.#routes.openEarly());
    this.#sweeper ??= this.ports.clock.every(SWEEP_PERIOD_MS, () => this.#sweep());
    this.#route(operation);
  }

  /** Operations on their way to one that is no longer the owner go to the new owner at once. */
  ringChanged(ring: Ring): void {
    this.#routes.update(ring, () => {
      for (const operation of this.#operations) {
        const moved = operation.state === "waiting"
          ? operation.ringVersionMin <= ring.version
          : operation.carrier !== this.#routes.find(operation.hash);
        if (moved) this.#route(operation);
      }
    });
  }

  replied(operation: Operation, reply: Reply, latest: boolean): void {
    if (operation.state === "done") return;
    const answer = answerOf(operation, reply);
    if (!(answer instanceof KvError)) {
      if (!latest && changedNothing(answer)) return operation.settledUnchanged();
      this.#finish(operation);
      operation.resolve(answer);
      return;
    }
    const next = operation.refused(answer);
    // An earlier sending's error changes what is known of the outcome; the latest one decides how to go on.
    if (!latest) return;
    switch (next) {
      case "fail":
        return this.#fail(operation, answer);
      case "ring":
        return this.#awaitRing(operation, answer.fields.ringVersion);
      case "new-id":
        this.#renewId(operation, answer.fields.clientIdAboveMs ?? 0);
        return operation.failures === 1 ? this.#route(operation) : this.#backOff(operation);
      case "backoff":
        return this.#backOff(operation);
    }
  }

  lost(operation: Operation, error: KvError): void {
    operation.lastError = error;
    this.#route(operation);
  }

  close(): void {
    const closed = new KvError("unavailable", "the client was closed");
    for (const operation of this.#operations) this.#fail(operation, closed);
    this.#routes.close();
    this.#cancelEarly?.();
    this.#sweeper?.();
    this.#sweeper = undefined;
  }

  #route(operation: Operation): void {
    const connection = this.#routes.find(operation.hash);
    if (connection === undefined) return this.#wait(operation, Infinity, 0);
    if (operation.state === "waiting") this.#waiting.delete(operation);
    connection.add(operation);
  }

  #wait(operation: Operation, delayMs: number, ringVersionMin: number): void {
    operation.state = "waiting";
    operation.carrier = undefined;
    operation.resendAtMs = this.ports.clock.monotonicMs() + delayMs;
    operation.ringVersionMin = ringVersionMin;
    this.#waiting.add(operation);
  }

  /** A new ring ends the wait too: the reason may be gone with it. */
  #backOff(operation: Operation): void {
    this.#wait(operation, backoffMs(operation.failures, this.ports.random), 0);
  }

  /** The node that refused knows of another owner: it has the ring that says so, or will get it in a moment. */
  #awaitRing(operation: Operation, needed = 0): void {
    if (needed <= (this.source.current?.version ?? 0)) return this.#backOff(operation);
    const refusedBy = operation.carrier?.node.address;
    this.#wait(operation, RING_WAIT_MS, needed);
    void this.source.ask();
    void this.source.ask(refusedBy);
  }

  /** Our clock may be behind those of the clients that were forgotten. */
  #renewId(operation: Operation, aboveMs: number): void {
    operation.ids!.finish(operation.sequence);
    if (operation.ids === this.#ids) this.#ids = this.#newIds(aboveMs + 1);
    operation.ids = this.#ids;
    operation.sequence = this.#ids.take();
  }

  #newIds(leastMs = 0): WriteIds {
    return new WriteIds(uuidV7(this.ports.clock, this.ports.random, leastMs));
  }

  #finish(operation: Operation): void {
    if (operation.state === "waiting") this.#waiting.delete(operation);
    operation.state = "done";
    this.#operations.delete(operation);
    operation.ids?.finish(operation.sequence);
  }

  #fail(operation: Operation, cause: KvError): void {
    this.#finish(operation);
    operation.reject(operation.failure(cause));
  }

  #sweep(): void {
    if (this.#operations.size === 0) {
      this.#sweeper?.();
      this.#sweeper = undefined;
      return;
    }
    const nowMs = this.ports.clock.monotonicMs();
    if (nowMs >= this.#nextDeadlineMs) this.#expire(nowMs);
    for (const operation of this.#waiting) {
      if (operation.resendAtMs <= nowMs) this.#route(operation);
    }
  }

  #expire(nowMs: number): void {
    let next = Infinity;
    for (const operation of this.#operations) {
      if (operation.deadlineMs <= nowMs) this.#fail(operation, this.#tooLate(operation));
      else if (operation.deadlineMs < next) next = operation.deadlineMs;
    }
    this.#nextDeadlineMs = next;
  }

  #tooLate(operation: Operation): KvError {
    const ring = this.source.current;
    const connection = this.#routes.find(operation.hash);
    const what = `${operation.name} not answered within ${operation.timeoutMs} ms`;
    const undone = operation.ids !== undefined && !operation.outcomeUnknown ? "; nothing was written" : "";
    if (ring === undefined) {
      return new KvError("unavailable", `${what}: ${this.source.trouble}; is a master running?${undone}`);
    }
    const slot = operation.hash % ring.settings.msn;
    const error = connection?.lastError ?? operation.lastError;
    const none = connection === undefined ? "no data node has joined the cluster yet" : "no answer";
    const reason = `slot ${slot}, ${ownerText(ring, slot)}: ${error?.message ?? none}`;
    const code = error?.code === "damaged" ? "damaged" : "unavailable";
    return new KvError(code, `${what}: ${reason}${undone}`, { slot, ringVersion: ring.version });
  }
}

function ownerText(ring: Ring, slot: number): string {
  const { owner } = ring.slots[slot]!;
  const node = membersOf(ring).find(({ ref }) => sameRef(ref, owner));
  if (node === undefined) return "which no node owns";
  const { label, ref, address } = node;
  return `${label === NO_LABEL ? "no label" : `label ${label}`}, node ${ref.id} at ${address}`;
}
