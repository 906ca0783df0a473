import { KvError } from "../platform/errors.ts";
import type { Address, Transport } from "../platform/ports.ts";
import { addressOf } from "../ring/followers.ts";
import type { NodeRef } from "../ring/ring.ts";
import { admin } from "../rpc/methods.ts";
import type { Admin, CallOptions } from "./api.ts";
import type { RingSource } from "./ring_source.ts";

/** Sends an operator's wishes to the servers that can carry them out. */
export class AdminCalls implements Admin {
  constructor(
    private readonly transport: Transport,
    private readonly source: RingSource,
    private readonly timeoutOf: (options: CallOptions | undefined) => number,
  ) {}

  async drain(node: NodeRef, options?: CallOptions): Promise<void> {
    const timeoutMs = this.timeoutOf(options);
    await this.transport.call(await this.#addressOf(node, timeoutMs), admin.drain, { node }, timeoutMs);
  }

  async #addressOf(ref: NodeRef, timeoutMs: number): Promise<Address> {
    const address = addressOf(await this.source.wait(timeoutMs), ref);
    if (address !== undefined) return address;
    throw new KvError(
      "invalid",
      `node ${ref.id}, incarnation ${ref.incarnation}, is not in the ring (any more)`,
    );
  }
}
