import type { ForceOwnerRequest } from "../../proto/gen/kv/v1/admin.ts";
import type { ProposeRequest } from "../../proto/gen/kv/v1/cluster.ts";
import { KvError } from "../platform/errors.ts";
import type { NodeRef, Ring } from "../ring/ring.ts";

/** What a node, or an operator, wants of the ring. */
export type Wish =
  | { readonly kind: "propose"; readonly request: ProposeRequest }
  | { readonly kind: "leave"; readonly ref: NodeRef }
  /** Even shares of the slots, or back to the rule. */
  | { readonly kind: "rebalance"; readonly undo: boolean }
  | { readonly kind: "force"; readonly request: ForceOwnerRequest }
  | { readonly kind: "accept"; readonly from: NodeRef | undefined };

/** A wish that waits for its answer. */
export interface Waiting {
  readonly wish: Wish;
  readonly resolve: (ring: Ring) => void;
  readonly reject: (error: KvError) => void;
}

/** The wishes of nodes, which wait to be decided on together, so that many cost one write of the ring. */
export class Requests {
  #waiting: Waiting[] = [];
  #closed = false;

  constructor(private readonly wake: () => void) {}

  /** Resolves with the ring as it is after the decision. */
  add(wish: Wish): Promise<Ring> {
    if (this.#closed) return Promise.reject(notInCharge());
    return new Promise((resolve, reject) => {
      this.#waiting.push({ wish, resolve, reject });
      this.wake();
    });
  }

  /** All that wait; whoever takes them answers them. */
  take(): Waiting[] {
    return this.#waiting.splice(0);
  }

  /** Nothing can be decided now. */
  reject(error: KvError): void {
    for (const { reject } of this.take()) reject(error);
  }

  /** Nobody decides any more. */
  close(): void {
    this.#closed = true;
    this.reject(notInCharge());
  }
}

/** What a master that may not write the ring answers. */
export function notInCharge(): KvError {
  return new KvError("unavailable", "this master is not the active one, or does not know yet whether it is");
}
