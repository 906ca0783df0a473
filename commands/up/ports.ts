/** Where the masters of `kv up` listen. */

import { joinAddress, listenAddress, splitAddress } from "../../core/platform/address.ts";
import { KvError } from "../../core/platform/errors.ts";
import type { Address } from "../../core/platform/ports.ts";

/** How far the search for a free port goes. */
const PORTS_TRIED_MAX = 1000;

/** Whether a server could listen there now. */
export type IsFree = (address: Address) => boolean;

/**
 * Addresses for `count` masters, on ports from that of `first` upwards. A port that is taken is skipped with `autoPort`,
 * and otherwise an error. Port 0 asks for free ones.
 *
 * @throws KvError `refused`; `invalid` for an address that servers cannot have
 */
export function masterAddresses(first: string, count: number, autoPort: boolean, isFree: IsFree): Address[] {
  const { host, port } = splitAddress(listenAddress(first));
  if (port === 0) return Array.from({ length: count }, () => joinAddress({ host, port }));
  const addresses: Address[] = [];
  for (let candidate = port; addresses.length < count; candidate++) {
    if (candidate > 65535 || candidate >= port + PORTS_TRIED_MAX) {
      throw new KvError(
        "refused",
        `no ${count} free ports from ${port} to ${candidate - 1}: give another --addr`,
      );
    }
    const address = joinAddress({ host, port: candidate });
    if (isFree(address)) addresses.push(address);
    else if (!autoPort) {
      const way = "stop what uses it, give another --addr, or add --auto-port for the next free one";
      throw new KvError("refused", `port ${candidate} of ${host} is taken: ${way}`);
    }
  }
  return addresses;
}

/** Listens there for a moment. Errors other than that the port is taken are left to the server to tell. */
export function isFree(address: Address): boolean {
  const { host, port } = splitAddress(address);
  try {
    Deno.listen({ hostname: host, port }).close();
    return true;
  } catch (error) {
    return !(error instanceof Deno.errors.AddrInUse);
  }
}
