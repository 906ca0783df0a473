/** What one client process does to a cluster to measure it: keys of 16 bytes, values of 100. */

import type { Client } from "../../core/client/api.ts";
import { connect } from "../../core/client/client.ts";
import { systemClock } from "../../core/platform/clock.ts";
import { stderrLog } from "../../core/platform/log.ts";
import type { Transport } from "../../core/platform/ports.ts";
import { systemRandom } from "../../core/platform/random.ts";
import { grpcTransport } from "../../core/rpc/transport.ts";
import { type Figures, figuresLine, measure } from "./load.ts";
import { usedLine, usedUs, type Watched } from "./processor_time.ts";

const KEYS = 100_000;
const FILLED_AT_ONCE = 1000;
const encoder = new TextEncoder();
const keyOf = (index: number) => encoder.encode(`key-${String(index).padStart(12, "0")}`);
const keys = Array.from({ length: KEYS }, (_, i) => keyOf(i));
const value = new Uint8Array(100).fill(0x76);

export class Workload implements Disposable {
  readonly client: Client;
  readonly transport: Transport & { close(): void };

  /** `watched`: processes whose processor time is told as well. */
  constructor(
    masters: readonly string[],
    private readonly seconds: number,
    private readonly watched: readonly Watched[] = [],
  ) {
    const log = stderrLog("warn", "bench");
    const ports = { clock: systemClock, random: systemRandom, log };
    this.transport = grpcTransport(ports);
    this.client = connect({ masters, transport: this.transport, ...ports });
  }

  /** Gives a value to every key that is measured with, or to more or fewer. */
  async fill(count = KEYS, valueBytes = value.length): Promise<void> {
    const filling = new Uint8Array(valueBytes).fill(0x76);
    for (let i = 0; i < count; i += FILLED_AT_ONCE) {
      const length = Math.min(FILLED_AT_ONCE, count - i);
      await this.client.putMany(Array.from({ length }, (_, at) => [keyOf(i + at), filling]));
    }
  }

  /** Puts and gets, many and one at a time. */
  async putsAndGets(): Promise<void> {
    const put = (key: Uint8Array) => this.client.put(key, value);
    const get = (key: Uint8Array) => this.client.get(key);
    await this.show("durable puts, 256 in flight", 256, put);
    await this.show("gets, 256 in flight", 256, get);
    await this.show("durable put, 1 in flight", 1, put);
    await this.show("get, 1 in flight", 1, get);
  }

  /** Measures an operation on one key after the other, and prints a line. */
  async show(
    name: string,
    inFlight: number,
    operate: (key: Uint8Array) => Promise<unknown>,
  ): Promise<Figures> {
    // Neighbours in time are far apart in the list: 7919 is a prime.
    const operateAt = (index: number) => operate(keys[(index * 7919) % KEYS]!);
    let before: number[] = [];
    const figures = await measure(inFlight, this.seconds, operateAt, () => before = usedUs(this.watched));
    console.log(figuresLine(name, figures));
    if (this.watched.length > 0) console.log(usedLine(this.watched, before, figures.operations));
    return figures;
  }

  [Symbol.dispose](): void {
    this.client.close();
    this.transport.close();
  }
}
