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

/** The masters in the order in which they were given, the data nodes in the order of their labels, then the standbys. */
export async function status(
  { masters, transport }: StatusPorts,
  source: RingSource,
  timeoutMs: number,
): Promise<ServerStatus[]> {
  const ring = await source.wait(Math.min(timeoutMs, RING_WAIT_MS)).catch(() => undefined);
  return Promise.all(
    serversOf(ring, masters).map(async (server) => {
      try {
        return { ...server, reply: await transport.call(server.address, routing.status, {}, timeoutMs) };
      } catch (error) {
        return { ...server, error: asKvError(error) };
      }
    }),
  );
}

function serversOf(ring: Ring | undefined, masters: readonly Address[]): Known[] {
  const nodes: Known[] = [];
  for (const node of ring?.nodes ?? []) {
    nodes.push({ address: node.address, node, sync: summary(ring!, node.ref) });
  }
  for (const { address, ref } of ring?.standbys ?? []) {
    nodes.push({ address, node: undefined, standby: true, sync: summary(ring!, ref) });
  }
  const others = masters.filter((address) => !nodes.some((server) => server.address === address));
  return [...others.map((address) => ({ address, node: undefined })), ...nodes];
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
