import type { CopyState, ForceOwnerRequest } from "../../proto/gen/kv/v1/admin.ts";
import type { StatusReply } from "../../proto/gen/kv/v1/kv.ts";
import { KvError } from "../platform/errors.ts";
import type { Address, Method, Transport } from "../platform/ports.ts";
import { ringFromMessage } from "../ring/document.ts";
import { addressOf } from "../ring/followers.ts";
import type { NodeRef, Ring } from "../ring/ring.ts";
import { admin, routing } from "../rpc/methods.ts";
import type { Admin, CallOptions } from "./api.ts";
import type { RingSource } from "./ring_source.ts";

/** Sends an operator's wishes to the servers that can carry them out. */
export class AdminCalls implements Admin {
  constructor(
    private readonly masters: readonly Address[],
    private readonly transport: Transport,
    private readonly source: RingSource,
    private readonly timeoutOf: (options: CallOptions | undefined) => number,
  ) {}

  async drain(node: NodeRef, options?: CallOptions): Promise<void> {
    const timeoutMs = this.timeoutOf(options);
    await this.#change(await this.#addressOf(node, timeoutMs), admin.drain, { node }, timeoutMs);
  }

  async rebalance(undo: boolean, options?: CallOptions): Promise<Ring> {
    const timeoutMs = this.timeoutOf(options);
    const master = await this.#master("is active", ({ active }) => active, timeoutMs);
    return ringFromMessage(await this.#change(master, admin.rebalance, { undo }, timeoutMs));
  }

  async copies(node: NodeRef, slots: readonly number[], options?: CallOptions): Promise<CopyState[]> {
    const timeoutMs = this.timeoutOf(options);
    const address = await this.#addressOf(node, timeoutMs);
    const request = { node, slots: [...slots] };
    return (await this.transport.call(address, admin.copies, request, timeoutMs)).copies;
  }

  async forceOwner(request: ForceOwnerRequest, options?: CallOptions): Promise<Ring> {
    const timeoutMs = this.timeoutOf(options);
    const master = await this.#master("is active", ({ active }) => active, timeoutMs);
    return ringFromMessage(await this.#change(master, admin.forceOwner, request, timeoutMs));
  }

  async acceptRing(from: NodeRef | undefined, options?: CallOptions): Promise<Ring> {
    const timeoutMs = this.timeoutOf(options);
    const master = await this.#master("has stopped to write", ({ halted }) => halted !== "", timeoutMs);
    return ringFromMessage(await this.#change(master, admin.acceptRing, { from }, timeoutMs));
  }

  /**
   * Asks for a change. A server that does not answer may have made it all the same, and so may a master that lost its
   * coordinator over it, which answers "unavailable".
   */
  async #change<Request, Reply>(
    address: Address,
    method: Method<Request, Reply>,
    request: Request,
    timeoutMs: number,
  ): Promise<Reply> {
    try {
      return await this.transport.call(address, method, request, timeoutMs);
    } catch (error) {
      if (!(error instanceof KvError) || (error.code !== "unreachable" && error.code !== "unavailable")) {
        throw error;
      }
      throw new KvError(
        "outcome-unknown",
        `it may or may not have been done: ${error.message}; see kv status, and ask again if it was not`,
        error.fields,
        { cause: error },
      );
    }
  }

  /** The first that `is` it: the one that wrote the ring, or one of those that we were given. */
  async #master(what: string, is: (reply: StatusReply) => boolean, timeoutMs: number): Promise<Address> {
    const { writer } = await this.source.wait(timeoutMs);
    const masters = [...new Set([writer, ...this.masters])];
    for (const address of masters) {
      const reply = await this.transport.call(address, routing.status, {}, timeoutMs).catch(() => undefined);
      if (reply?.role === "master" && is(reply)) return address;
    }
    const names = masters.join(", ");
    throw new KvError(
      "unavailable",
      `none of the masters ${names} ${what}; start one (kv master), or name the others with --addr`,
    );
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
