import { KvError } from "../platform/errors.ts";
import type { Transport } from "../platform/ports.ts";
import { ringFromMessage } from "../ring/document.ts";
import { isBlank } from "../ring/history.ts";
import type { NodeRef, Ring } from "../ring/ring.ts";
import { routing } from "../rpc/methods.ts";
import type { Met } from "./node_watch.ts";

const CALL_TIMEOUT_MS = 1000;

/**
 * The ring that is to take the place of one that the coordinator has from the past: the newest that any node answers
 * with, or that of `from`. One of any cluster takes the place of a blank one: the coordinator has lost it. Rejects with
 * `refused` when nobody answers, or when several have been the newest.
 */
export async function ringToAccept(
  before: Ring,
  met: readonly Met[],
  from: NodeRef | undefined,
  transport: Transport,
): Promise<Ring> {
  const asked = met.filter(({ ref }) => from === undefined || ref.id === from.id);
  const answers = await Promise.all(asked.map(async ({ address }) => {
    try {
      const ring = ringFromMessage(await transport.call(address, routing.getRing, {}, CALL_TIMEOUT_MS));
      const fits = ring.clusterId === before.clusterId || isBlank(before);
      return fits && !isBlank(ring) ? [{ address, ring }] : [];
    } catch {
      return [];
    }
  }));
  const known = answers.flat().sort((a, b) => b.ring.version - a.ring.version);
  const [newest] = known;
  if (newest === undefined) {
    throw new KvError(
      "refused",
      "none of the nodes that are meant answers with a ring: start them, and try again",
    );
  }
  const rival = known.find(({ ring: { clusterId, version, nonce } }) =>
    clusterId !== newest.ring.clusterId || version === newest.ring.version && nonce !== newest.ring.nonce
  );
  if (rival === undefined) return newest.ring;
  const different = rival.ring.clusterId === newest.ring.clusterId
    ? `different rings ${newest.ring.version}`
    : "rings of different clusters";
  throw new KvError(
    "refused",
    `${newest.address} and ${rival.address} have ${different}: name the node whose ring is to count`,
  );
}
