import { KvError } from "../../platform/errors.ts";
import type { NodeRef, Ring } from "../../ring/ring.ts";
import { nameOf } from "./names.ts";

/** A data node or standby of the ring. */
export interface Member {
  readonly ref: NodeRef;
  readonly address: string;
}

/** The member with this address or id; throws `invalid`, naming those that there are. `:9701` is 127.0.0.1:9701. */
export function memberNamed(ring: Ring, text: string): Member {
  const members: readonly Member[] = [...ring.nodes, ...ring.standbys];
  const address = text.startsWith(":") ? `127.0.0.1${text}` : text;
  const found = members.find((each) => each.ref.id === text || each.address === address);
  if (found !== undefined) return found;
  const known = members.map(({ ref }) => `${nameOf(ring, ref)} id ${ref.id}`).join(", ") || "none";
  throw new KvError("invalid", `"${text}" is neither the address nor the id of a node; known are: ${known}`);
}
