import { CoordinatorError, type Session } from "../coordination/coordinator.ts";
import type { Address } from "../platform/ports.ts";
import { sameRef } from "../ring/ring.ts";
import { formatRegistration, parseRegistration, type Registered, type Registration } from "./registration.ts";

/**
 * Looks after the ephemeral node `<folder>/<address>` that says that this process lives. Returns what stands there
 * now; rejects when the address is still taken by another session (of an earlier process, which will expire) or a
 * call fails: try again.
 */
export async function ensurePresence(
  session: Session,
  folder: string,
  address: Address,
  own: Registration,
  changed: () => void,
): Promise<Registered> {
  const path = `${folder}/${address}`;
  const found = await session.get(path, changed);
  if (found === undefined) {
    await session.create(path, formatRegistration(own), "ephemeral");
    return await ensurePresence(session, folder, address, own, changed);
  }
  const registration = parseRegistration(found.data);
  if (found.stat.ephemeralOwner === session.id) {
    if (registration !== undefined && sameRef(registration.ref, own.ref)) {
      return { ...registration, address, path, version: found.stat.version };
    }
    // A master has written here what it had read of an earlier process: versions begin anew with each node.
    await session.set(path, formatRegistration(own), found.stat.version);
    return await ensurePresence(session, folder, address, own, changed);
  }
  if (registration?.ref.id === own.ref.id) {
    // Left over from an earlier session of this very node, whose folder nobody else can have.
    await session.remove(path, found.stat.version);
  }
  throw new CoordinatorError("node-exists", path, "the address is registered by another session");
}

/** Removes what this node has put there, in this session or a former one; nothing when there is nothing. */
export async function removePresence(
  session: Session,
  folder: string,
  address: Address,
  nodeId: string,
): Promise<void> {
  const path = `${folder}/${address}`;
  const found = await session.get(path);
  if (found !== undefined && parseRegistration(found.data)?.ref.id === nodeId) {
    await session.remove(path, found.stat.version);
  }
}

/** All registrations in the folder; `changed` is called when one comes, goes or changes. */
export async function listPresent(
  session: Session,
  folder: string,
  changed: () => void,
): Promise<Registered[]> {
  const addresses = await session.children(folder, changed);
  const found = await Promise.all(addresses.map(async (address) => {
    const path = `${folder}/${address}`;
    const node = await session.get(path, changed);
    const registration = node && parseRegistration(node.data);
    return registration && { ...registration, address, path, version: node.stat.version };
  }));
  return found.filter((registered) => registered !== undefined);
}
