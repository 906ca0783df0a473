import { KvError, messageOf, UnreachableError } from "../platform/errors.ts";
import type { Address, Transport } from "../platform/ports.ts";
import type { RingNode } from "../ring/ring.ts";
import { routing } from "../rpc/methods.ts";
import type { ServerStatus } from "./api.ts";
import type { RingSource } from "./ring_source.ts";

/** How long to wait for a ring that may never come, before only the given addresses are asked. */
const RING_WAIT_MS = 1000;

interface StatusPorts {
  readonly masters: readonly Address[];
  readonly transport: Transport;
}

/** The masters in the order in which they were given, then the data nodes in the order of their labels. */
export async function status(
  { masters, transport }: StatusPorts,
  source: RingSource,
  timeoutMs: number,
): Promise<ServerStatus[]> {
  const nodes = new Map<Address, RingNode>();
  const ring = await source.wait(Math.min(timeoutMs, RING_WAIT_MS)).catch(() => undefined);
  for (const node of ring?.nodes ?? []) nodes.set(node.address, node);
  const addresses = [...masters.filter((address) => !nodes.has(address)), ...nodes.keys()];
  return Promise.all(addresses.map(async (address) => {
    const node = nodes.get(address);
    try {
      const reply = await transport.call(address, routing.status, {}, timeoutMs);
      return { address, node, reply };
    } catch (error) {
      return { address, node, error: asKvError(error) };
    }
  }));
}

function asKvError(error: unknown): KvError {
  return error instanceof KvError ? error : new UnreachableError(messageOf(error), { cause: error });
}
