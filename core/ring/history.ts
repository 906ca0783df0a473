import type { Ring } from "./ring.ts";

/** What tells whether rings are of one history: the version alone says nothing when the coordinator went back in time. */
export type RingMark = Pick<Ring, "clusterId" | "version" | "nonce">;

/**
 * Why a ring that somebody has taken before cannot belong to the history of `ring`, the coordinator's present one;
 * undefined: nothing speaks against it.
 */
export function contradiction(ring: Ring, taken: RingMark): string | undefined {
  const { clusterId, version, nonce, previousNonce } = ring;
  if (taken.clusterId !== clusterId) {
    return `ring ${taken.version} of cluster ${taken.clusterId}, while the coordinator has one of cluster ${clusterId}`;
  }
  if (taken.version > version) return `ring ${taken.version}, while the coordinator has ring ${version}`;
  const expected = taken.version === version ? nonce : taken.version === version - 1 ? previousNonce : "";
  if (expected === "" || expected === taken.nonce) return undefined;
  return `another ring ${taken.version} than the coordinator's history has`;
}

/** No data node has ever been in it: it is that of a new cluster, or of a coordinator that has lost all that it had. */
export function isBlank({ slots }: Ring): boolean {
  return slots.every(({ owner }) => owner === undefined);
}
