import { membersOf } from "../ring/owners.ts";
import type { Ring, RingNode } from "../ring/ring.ts";
import { Connection, type ConnectionListener, type ConnectionPorts } from "./connection.ts";

/** The ring as a table: which connection leads to the owner of a slot. */
export class Routes {
  /** One per slot; undefined where the ring names no owner. Empty before the first ring. */
  #bySlot: readonly (Connection | undefined)[] = [];
  /** By node id, incarnation and address: another process is another connection. Those to standbys wait for their day. */
  #connections = new Map<string, Connection>();
  #early = false;

  constructor(private readonly ports: ConnectionPorts, private readonly listener: ConnectionListener) {}

  /** Undefined before the first ring, and while the slot has no owner. */
  find(hash: number): Connection | undefined {
    return this.#bySlot[hash % this.#bySlot.length];
  }

  /** From now on connections are opened before they are needed: a change of owner does not have to wait for that. */
  openEarly(): void {
    this.#early = true;
    for (const connection of this.#connections.values()) connection.open();
  }

  /**
   * Points to the owners of this ring. `reroute` must then take all operations from connections that are no longer
   * routed to, for these are closed after it.
   */
  update(ring: Ring, reroute: () => void): void {
    const before = this.#connections;
    this.#connections = new Map();
    const byOwner = new Map<string, Connection>();
    for (const node of membersOf(ring)) {
      const key = keyOf(node);
      const connection = before.get(key) ?? this.#newConnection(node);
      this.#connections.set(key, connection);
      byOwner.set(refKey(node.ref), connection);
    }
    this.#bySlot = ring.slots.map(({ owner }) => owner && byOwner.get(refKey(owner)));
    reroute();
    for (const [key, connection] of before) {
      if (!this.#connections.has(key)) connection.close();
    }
  }

  #newConnection(node: RingNode): Connection {
    const connection = new Connection(node, this.ports, this.listener);
    if (this.#early) connection.open();
    return connection;
  }

  close(): void {
    for (const connection of this.#connections.values()) connection.close();
    this.#connections.clear();
    this.#bySlot = [];
  }
}

function refKey({ id, incarnation }: RingNode["ref"]): string {
  return `${id}/${incarnation}`;
}

function keyOf(node: RingNode): string {
  return `${refKey(node.ref)}@${node.address}`;
}
