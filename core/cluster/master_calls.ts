import type { Proposal } from "../../proto/gen/kv/v1/cluster.ts";
import { KvError } from "../platform/errors.ts";
import type { Address, Transport } from "../platform/ports.ts";
import { ringFromMessage } from "../ring/document.ts";
import type { NodeRef } from "../ring/ring.ts";
import { cluster } from "../rpc/methods.ts";
import type { RingKeeper } from "./ring_keeper.ts";

const CALL_TIMEOUT_MS = 1000;

/** What a node asks of the active master: the one that wrote the newest ring known. */
export class MasterCalls {
  constructor(
    private readonly transport: Transport,
    private readonly rings: RingKeeper,
    private readonly self: NodeRef,
  ) {}

  /** Resolves when the ring that came of it is known here; rejects when the master does not answer. */
  async propose(proposals: Proposal[]): Promise<void> {
    const request = { owner: this.self, proposals };
    const message = await this.transport.call(this.#master, cluster.propose, request, CALL_TIMEOUT_MS);
    this.#offer(ringFromMessage(message));
  }

  /** Tells that a node does not answer. Only a hint: never rejects. */
  suspect(suspect: NodeRef, wasAlive: boolean): void {
    if (this.rings.ring === undefined) return;
    const request = { reporter: this.self, suspect, wasAlive };
    this.transport.call(this.#master, cluster.suspect, request, CALL_TIMEOUT_MS).catch(() => {});
  }

  /** Asks to be relieved of all slots. Rejects with the reason when the master will not. */
  async leave(): Promise<void> {
    const message = await this.transport.call(
      this.#master,
      cluster.leave,
      { node: this.self },
      CALL_TIMEOUT_MS,
    );
    this.#offer(ringFromMessage(message));
  }

  get #master(): Address {
    const { ring } = this.rings;
    if (ring === undefined) throw new KvError("unavailable", "no ring is known yet, so no master either");
    return ring.writer;
  }

  #offer(ring: ReturnType<typeof ringFromMessage>): void {
    if (ring.clusterId === this.rings.ring?.clusterId) this.rings.offer(ring);
  }
}
