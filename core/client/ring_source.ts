/**
 * Keeps the newest ring: a stream of rings from one server, which is pinged; when it fails, the next one is followed.
 *
 * Servers, in this order: the addresses that were given (masters, active or waiting), then the data nodes of the last
 * ring known, which serve it too. While a data node is followed, the given addresses are tried again and again. When
 * nobody answers, the ring stays as it is: reads and writes go on with it.
 */

import type { Ring as RingMessage } from "../../proto/gen/kv/v1/ring.ts";
import { KvError, messageOf } from "../platform/errors.ts";
import type {
  Address,
  Cancel,
  Clock,
  Incoming,
  Log,
  Outgoing,
  Random,
  Transport,
} from "../platform/ports.ts";
import { ringFromMessage } from "../ring/document.ts";
import { isBlank } from "../ring/history.ts";
import type { Ring } from "../ring/ring.ts";
import { routing } from "../rpc/methods.ts";
import { backoffMs } from "./backoff.ts";
import { RingWaiters } from "./ring_waiters.ts";

const PING_PERIOD_MS = 300;
const CALL_TIMEOUT_MS = 1000;
/** While a data node is followed, the given addresses are tried at every so-manieth ping. */
const PINGS_PER_LOOK = 4;

export interface RingSourceOptions {
  readonly addresses: readonly Address[];
  readonly clock: Clock;
  readonly random: Random;
  readonly transport: Transport;
  readonly log: Log;
  readonly pingPeriodMs?: number;
}

/** The server that is followed at present. */
interface Followed {
  readonly address: Address;
  stream: Outgoing<unknown> | undefined;
  /** Answered ones. */
  pings: number;
  pinging: boolean;
}

export class RingSource {
  #current: Ring | undefined = undefined;
  #followed: Followed | undefined = undefined;
  /** Servers in a row that failed before they proved to be of use. */
  #failures = 0;
  #lastError = "none of them was asked yet";
  #pause: Cancel | undefined = undefined;
  #asking = new Set<Address>();
  #closed = false;
  #pings: Cancel | undefined = undefined;
  #changed: (ring: Ring) => void = () => {};
  readonly #waiters: RingWaiters;

  constructor(private readonly options: RingSourceOptions) {
    if (options.addresses.length === 0) {
      throw new KvError(
        "invalid",
        "no address of a master was given: name at least one, as in 127.0.0.1:9666",
      );
    }
    this.#waiters = new RingWaiters(options.clock);
  }

  /** `changed` is called for every newer ring, at once. */
  start(changed: (ring: Ring) => void): void {
    this.#changed = changed;
    this.#pings = this.options.clock.every(
      this.options.pingPeriodMs ?? PING_PERIOD_MS,
      () => void this.#ping(),
    );
    this.#follow(this.options.addresses[0]!);
  }

  /** Its version never falls. */
  get current(): Ring | undefined {
    return this.#current;
  }

  /** For messages: why there is no newer ring. */
  get trouble(): string {
    return `no ring from ${this.options.addresses.join(", ")}: ${this.#lastError}`;
  }

  /** The newest ring, or the first to come. Rejects with `unavailable` when the time limit passes. */
  wait(timeoutMs: number): Promise<Ring> {
    if (this.#current !== undefined) return Promise.resolve(this.#current);
    return this.#waiters.add(timeoutMs, () => `${this.trouble}; is a master running?`);
  }

  /** Fetches the ring from `address`, or from the server that is followed. Never rejects; `changed` tells. */
  async ask(address: Address | undefined = this.#followed?.address): Promise<void> {
    if (address === undefined || this.#closed || this.#asking.has(address)) return;
    this.#asking.add(address);
    try {
      this.#offer(await this.options.transport.call(address, routing.getRing, {}, CALL_TIMEOUT_MS), address);
    } catch (error) {
      this.options.log("debug", "no ring", { from: address, error: messageOf(error) });
    } finally {
      this.#asking.delete(address);
    }
  }

  close(): void {
    this.#closed = true;
    this.#pings?.();
    this.#leave();
    this.#waiters.close();
  }

  #offer(message: RingMessage, from: Address): void {
    if (this.#closed || message.version <= (this.#current?.version ?? 0)) return;
    const ring = ringFromMessage(message);
    const known = this.#current;
    // A blank ring gives way to the one that a master has accepted in its place, not to that of any process it lists.
    const mayChange = known === undefined || isBlank(known) && this.options.addresses.includes(from);
    if (known?.clusterId !== ring.clusterId && !mayChange) {
      throw new KvError("refused", `${from} belongs to another cluster, ${ring.clusterId}`);
    }
    this.#current = ring;
    this.#waiters.settle(ring);
    this.#changed(ring);
  }

  #follow(address: Address): void {
    this.#leave();
    const followed: Followed = { address, stream: undefined, pings: 0, pinging: false };
    this.#followed = followed;
    const ifFollowed = (act: () => void) => {
      if (this.#followed === followed) act();
    };
    const stream = this.options.transport.stream(
      address,
      routing.watchRing,
      {
        message: (message) => ifFollowed(() => this.#receive(followed, message)),
        closed: (error) =>
          ifFollowed(() => this.#failed(error ?? new Error("it closed the stream of rings"))),
      } satisfies Incoming<RingMessage>,
    );
    if (this.#followed !== followed) return stream.cancel();
    followed.stream = stream;
    stream.send({ aboveVersion: this.#current?.version ?? 0 });
    void this.#ping();
  }

  #receive(followed: Followed, message: RingMessage): void {
    try {
      this.#offer(message, followed.address);
      this.#failures = 0;
    } catch (error) {
      this.#failed(error);
    }
  }

  async #ping(): Promise<void> {
    const followed = this.#followed;
    if (followed === undefined || followed.pinging) return;
    followed.pinging = true;
    try {
      const { address } = followed;
      const reply = await this.options.transport.call(address, routing.ping, {}, CALL_TIMEOUT_MS);
      if (this.#followed !== followed) return;
      // The first ping proves little: a server may answer it and refuse the stream of rings.
      if (++followed.pings > 1) this.#failures = 0;
      // The stream should have brought it already; it may have been lost.
      if (reply.ringVersion > (this.#current?.version ?? 0)) void this.ask(address);
      if (reply.role !== "master" && followed.pings % PINGS_PER_LOOK === 0) {
        await this.#lookForMaster(followed);
      }
    } catch (error) {
      if (this.#followed === followed) this.#failed(error);
    } finally {
      followed.pinging = false;
    }
  }

  /** Goes back to the first given address where a master answers. */
  async #lookForMaster(followed: Followed): Promise<void> {
    for (const address of this.options.addresses) {
      if (address === followed.address) continue;
      const reply = await this.options.transport.call(address, routing.ping, {}, CALL_TIMEOUT_MS)
        .catch(() => undefined);
      if (this.#followed !== followed) return;
      if (reply?.role !== "master") continue;
      this.options.log("info", "a master answers again", { address });
      return this.#follow(address);
    }
  }

  /** Changes over to the next server; after each of them has failed, with a pause. */
  #failed(error: unknown): void {
    const failed = this.#followed!.address;
    this.#leave();
    this.#lastError = `${failed}: ${messageOf(error)}`;
    this.#failures++;
    const servers = this.#servers();
    const next = servers[(servers.indexOf(failed) + 1) % servers.length]!;
    if (this.#failures <= 1 && next !== failed) {
      this.options.log("info", "changing over", { from: failed, to: next, error: messageOf(error) });
    }
    const rounds = Math.floor(this.#failures / servers.length);
    const pauseMs = this.#failures % servers.length === 0 ? backoffMs(rounds, this.options.random) : 0;
    this.#pause = this.options.clock.after(pauseMs, () => this.#follow(next));
  }

  #servers(): Address[] {
    const { nodes = [], standbys = [] } = this.#current ?? {};
    const known = [...nodes, ...standbys].map(({ address }) => address);
    return [...new Set([...this.options.addresses, ...known])];
  }

  #leave(): void {
    const stream = this.#followed?.stream;
    this.#followed = undefined;
    this.#pause?.();
    this.#pause = undefined;
    stream?.cancel();
  }
}
