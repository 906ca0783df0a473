import { KvError, messageOf, UnreachableError } from "../platform/errors.ts";
import type { Address, Transport } from "../platform/ports.ts";
import { type NodeRef, type Ring, sameRef } from "../ring/ring.ts";
import { routing } from "../rpc/methods.ts";
import type { ServerStatus, SyncSummary } from "./api.ts";
import type { RingSource } from "./ring_source.ts";

/** How long to wait for a ring that may never come, before only the given addresses are asked. */
const RING_WAIT_MS = 1000;

interface StatusPorts {
  readonly masters: readonly Address[];
  readonly transport: Transport;
}

type Known = Omit<ServerStatus, "reply" | "error">;

/**
 * The masters in the order in which they were given, then those that they know of; the data nodes in the order of their
 * labels, then the standbys.
 */
export async function status(
  { masters, transport }: StatusPorts,
  source: RingSource,
  timeoutMs: number,
): Promise<ServerStatus[]> {
  const ask = (servers: readonly Known[]): Promise<ServerStatus[]> =>
    Promise.all(servers.map(async (server) => {
      try {
        return { ...server, reply: await transport.call(server.address, routing.status, {}, timeoutMs) };
      } catch (error) {
        return { ...server, error: asKvError(error) };
      }
    }));
  const ring = await source.wait(Math.min(timeoutMs, RING_WAIT_MS)).catch(() => undefined);
  const nodes = nodesOf(ring);
  const given = masters.filter((address) => !nodes.some((server) => server.address === address));
  const [first, rest] = await Promise.all([ask(given.map(server)), ask(nodes)]);
  const told = new Set(first.flatMap(({ reply }) => reply?.masters ?? []));
  const more = await ask([...told].filter((address) => !given.includes(address)).map(server));
  return [...first, ...more, ...rest];
}

function server(address: Address): Known {
  return { address, node: undefined };
}

function nodesOf(ring: Ring | undefined): Known[] {
  const nodes: Known[] = [];
  for (const node of ring?.nodes ?? []) {
    nodes.push({ address: node.address, node, sync: summary(ring!, node.ref) });
  }
  for (const { address, ref } of ring?.standbys ?? []) {
    nodes.push({ address, node: undefined, standby: true, sync: summary(ring!, ref) });
  }
  return nodes;
}

function summary({ slots }: Ring, self: NodeRef): SyncSummary {
  const copies = slots.filter(({ owner }) => sameRef(owner, self)).map(({ isr }) => isr.length);
  const member = slots.filter(({ isr }) => isr.some((ref) => sameRef(ref, self))).length;
  return {
    owned: copies.length,
    copiesLeast: copies.length === 0 ? 0 : Math.min(...copies),
    copiesMost: Math.max(0, ...copies),
    followed: member - copies.length,
  };
}

function asKvError(error: unknown): KvError {
  return error instanceof KvError ? error : new UnreachableError(messageOf(error), { cause: error });
}
