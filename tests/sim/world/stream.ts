import { KvError, messageOf, UnreachableError } from "../../../core/platform/errors.ts";
import type { Incoming, Outgoing } from "../../../core/platform/ports.ts";
import type { Link, SimNetwork } from "./network.ts";
import type { SimProcess } from "./scheduler.ts";

/** One end of a simulated stream. Bytes only: what one end holds is never shared with the other. */
class End {
  /** Set once the stream has reached this process. */
  incoming:
    | { message(bytes: Uint8Array): void; ended(): void; drained(): void; closed(e?: Error): void }
    | undefined;
  closed = false;
  /** The event that closes this end is on its way; a process that stands still gets it later. */
  closing = false;
  /** This end has ended its sending half. */
  ended = false;
  /** This end has broken the stream off: nothing but `closed` may come any more. */
  cancelled = false;
  /** Sent, and held back by a partition. */
  readonly waiting: (() => void)[] = [];
  /** On the way to the other end, in order. */
  readonly inFlight: (() => void)[] = [];
  lastArrivalMs = 0;
  drainPending = false;
  /** It wants no messages now; those that come are held. */
  paused = false;
  readonly held: (() => void)[] = [];

  constructor(readonly process: SimProcess) {}

  /** What came in order is taken in order. */
  take(arrived: () => void): void {
    if (this.paused || this.held.length > 0) this.held.push(arrived);
    else arrived();
  }
}

/**
 * A stream between two processes: order is kept in each direction, nothing is lost unless the stream breaks, and a
 * stream may break at any message.
 */
export class SimStream implements Link {
  readonly client: End;
  readonly server: End;
  #broken = false;

  constructor(
    readonly network: SimNetwork<unknown>,
    readonly path: string,
    client: SimProcess,
    server: SimProcess,
  ) {
    this.client = new End(client);
    this.server = new End(server);
    network.links.add(this);
    network.watch(this);
  }

  get processes(): readonly [SimProcess, SimProcess] {
    return [this.client.process, this.server.process];
  }

  get open(): boolean {
    return !this.client.closed || !this.server.closed;
  }

  /** Binds a receiver to an end, with the way to decode what arrives there. */
  attach<M>(end: End, incoming: Incoming<M>, decode: (bytes: Uint8Array) => M): void {
    end.incoming = {
      message: (bytes) => incoming.message(decode(bytes)),
      ended: () => incoming.ended?.(),
      drained: () => incoming.drained?.(),
      closed: (error) => incoming.closed(error),
    };
  }

  /**
   * The sending half of an end. `onEnd` says what arrives at the other side when this one ends its half; `once` ends
   * it after the first message.
   */
  outgoing<M>(from: End, encode: (message: M) => Uint8Array, onEnd: () => void, once: boolean): Outgoing<M> {
    const end = () => {
      if (from.ended || from.closed || from.cancelled) return;
      from.ended = true;
      this.transmit(from, onEnd);
    };
    return {
      send: (message) => {
        const [to, reply] = [this.#other(from).process.name, from === this.server];
        this.network.onMessage?.({ from: from.process.name, to, path: this.path, reply, message });
        const more = this.#send(from, encode(message));
        if (once) end();
        return more;
      },
      end,
      cancel: (error) => {
        if (from.closed || from.cancelled) return;
        from.cancelled = true;
        const reason = asArrived(error);
        const other = this.#other(from);
        this.transmit(from, () => this.close(other, reason));
        this.#closeSoon(from, reason);
      },
    };
  }

  /** Brings `action` to the other end, behind all that went before it. */
  transmit(from: End, action: () => void): void {
    if (this.#broken || !from.process.alive) return;
    from.waiting.push(action);
    this.#pump(from);
    if (from.waiting.length > 0) this.network.count("message held by partition");
  }

  /** Holds what comes to this end from now on, or lets it go on. */
  pause(end: End, paused: boolean): void {
    end.paused = paused;
    if (paused) return this.network.count("receiver paused");
    this.network.scheduler.after(0, () => {
      while (!end.paused && !end.closed && end.held.length > 0) end.held.shift()!();
    }, end.process);
  }

  /** The last call to this end's receiver. */
  close(end: End, error: Error | undefined): void {
    if (end.closed) return;
    end.closed = true;
    if (!this.open) this.network.links.delete(this);
    end.incoming?.closed(error);
  }

  breakAt(survivor: SimProcess, error: UnreachableError): void {
    const end = this.client.process === survivor ? this.client : this.server;
    this.#broken = true;
    this.#closeSoon(end, error);
    const other = this.#other(end);
    if (!other.process.alive) other.closed = true;
    // It may have missed the trouble that this end gave up for; its own keepalive goes unanswered now.
    else this.network.scheduler.after(this.network.keepaliveMs(), () => this.#closeSoon(other, error));
  }

  /**
   * Both ends learn of it, each in its own time; what is on the way may still come before. The server's end may learn
   * late, and then takes what the client has long sent again elsewhere: `last`, which hung in the network.
   */
  reset(error: UnreachableError, last: () => void = () => {}): void {
    const { network } = this;
    const late = network.random.chance(0.5);
    const serverMs = late ? network.keepaliveMs() : network.latencyMs();
    if (late) this.#fly(this.client, last, network.random.between(0, serverMs));
    this.#broken = true;
    network.scheduler.after(network.latencyMs(), () => this.close(this.client, error), this.client.process);
    network.scheduler.after(serverMs, () => this.close(this.server, error), this.server.process);
  }

  lost(process: SimProcess): void {
    const end = this.client.process === process ? this.client : this.server;
    end.waiting.length = 0;
  }

  resume(): void {
    this.#pump(this.client);
    this.#pump(this.server);
  }

  #send(from: End, bytes: Uint8Array): boolean {
    if (from.closed || from.ended || from.cancelled || !from.process.alive) return false;
    if (this.#broken) return true;
    const network = this.network;
    const to = this.#other(from);
    const arrive = () => to.take(() => this.#receive(to, bytes));
    if (network.random.chance(network.settings.reset)) {
      network.count("stream reset");
      this.reset(new UnreachableError("connection reset"), from === this.client ? arrive : undefined);
      return true;
    }
    this.transmit(from, arrive);
    if (from.drainPending || !network.random.chance(network.settings.backPressure)) return !from.drainPending;
    network.count("back-pressure");
    from.drainPending = true;
    network.scheduler.after(network.latencyMs(), () => {
      from.drainPending = false;
      if (!from.closed) from.incoming?.drained();
    }, from.process);
    return false;
  }

  /** A receiver that throws breaks the stream off, as the real transport does. */
  #receive(to: End, bytes: Uint8Array): void {
    if (to.cancelled) return;
    try {
      to.incoming?.message(bytes);
    } catch (error) {
      this.network.count("receiver threw");
      to.cancelled = true;
      const reason = asArrived(error instanceof KvError ? error : new KvError("internal", messageOf(error)));
      const other = this.#other(to);
      this.transmit(to, () => this.close(other, reason));
      this.#closeSoon(to, reason);
    }
  }

  #pump(from: End): void {
    const to = this.#other(from);
    const { network } = this;
    if (this.#broken || network.isCut(from.process, to.process)) {
      return;
    }
    for (const action of from.waiting.splice(0)) {
      this.#fly(from, action, network.delayMs(from.process, to.process));
    }
  }

  /** Brings `action` to the other end in this time, but behind all that went before it. */
  #fly(from: End, action: () => void, delayMs: number): void {
    const to = this.#other(from);
    const { scheduler } = this.network;
    from.inFlight.push(action);
    from.lastArrivalMs = Math.max(scheduler.nowMs + delayMs, from.lastArrivalMs);
    // The event takes the first message, whichever event it is: the order of a stream survives a pause.
    scheduler.at(
      from.lastArrivalMs,
      () => {
        const first = from.inFlight.shift();
        if (!to.closed) first?.();
      },
      to.process,
      "stream",
    );
  }

  #closeSoon(end: End, error: Error): void {
    if (end.closing) return;
    end.closing = true;
    this.network.scheduler.after(0, () => this.close(end, error), end.process);
  }

  #other(end: End): End {
    return end === this.client ? this.server : this.client;
  }
}

/** The reason of a cancellation as it arrives: without what only this process may hold. */
function asArrived(error: Error | undefined): KvError {
  if (error instanceof KvError && error.code !== "unreachable") {
    return new KvError(error.code, error.message, { ...error.fields });
  }
  return new UnreachableError(error?.message ?? "stream cancelled");
}
