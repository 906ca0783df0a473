/** The ring as logic sees it: one entry per slot. `document.ts` makes it a message or JSON, with equal runs merged. */

/** A process start of a node. */
export interface NodeRef {
  /** UUID, kept in the node's data directory. */
  readonly id: string;
  /** Counts the process starts on that directory, from 1. */
  readonly incarnation: number;
}

/** A data node with a seat. */
export interface RingNode {
  readonly ref: NodeRef;
  /** host:port */
  readonly address: string;
  /** The seat, 0..msn-1; no two nodes of a ring have the same. */
  readonly label: number;
  /** It hands its slots to its neighbours and gets no new ones. */
  readonly leaving: boolean;
}

/** A node without a seat: copies slots, and takes over when a data node dies. */
export interface RingStandby {
  readonly ref: NodeRef;
  /** host:port */
  readonly address: string;
  /** It goes as soon as others have the copies that it has, and is chosen for none. In sync, it counts until then. */
  readonly leaving: boolean;
}

export interface SlotEntry {
  /** Undefined: nobody has ever owned the slot. */
  readonly owner: NodeRef | undefined;
  /** Never falls. (owner, incarnation) changes => rises. */
  readonly epoch: number;
  /** Holds every acknowledged write; contains `owner` where there is one. */
  readonly isr: readonly NodeRef[];
  /** Never falls. isr or owner changes => rises. */
  readonly isrSeq: number;
  /**
   * The epoch in which an operator last forced an owner on the slot; absent: never. A copy whose log ends in an earlier
   * epoch is of another history: it is fetched whole, never merged. Never falls.
   */
  readonly lineage?: number;
}

/** An operator gave slots to a node that was not known to have every acknowledged write. */
export interface ForcedOwner {
  /** Ascending. */
  readonly slots: readonly number[];
  readonly from: NodeRef;
  /** The same as `from` where a damaged copy was salvaged. */
  readonly to: NodeRef;
  /** Who did it, by their own account. */
  readonly by: string;
  /** Milliseconds since 1970, by the master's clock. */
  readonly atMs: number;
  /** The version that said so first. */
  readonly ringVersion: number;
}

/** What can never change once the cluster was created. */
export interface ClusterSettings {
  readonly msn: number;
  readonly hash: "fnv1a32";
  readonly levels: number;
}

export interface Ring {
  /** One more than the version it replaced. */
  readonly version: number;
  readonly clusterId: string;
  readonly settings: ClusterSettings;
  /** In order of label. */
  readonly nodes: readonly RingNode[];
  /** In order of id; none of them is among `nodes`. */
  readonly standbys: readonly RingStandby[];
  /** Standbys that copy a slot; 0: all of them. */
  readonly replicas: number;
  /** For how long a follower's promise not to serve holds. Never changes. */
  readonly promiseMs: number;
  /** By slot the label that is to own it, where shares were evened out; empty: the rule says it. */
  readonly assigned: readonly number[];
  /** slots.length === settings.msn */
  readonly slots: readonly SlotEntry[];
  /** The last {@link FORCED_MAX} of them, the newest last; absent: none. */
  readonly forced?: readonly ForcedOwner[];
  /** The master that wrote it, and how it recognises its own write after a lost reply. */
  readonly writer: string;
  readonly nonce: string;
  readonly previousNonce: string;
}

/** So many are remembered: the ring has to stay small. */
export const FORCED_MAX = 16;

/** Whether both are the same process start, or both undefined. */
export function sameRef(a: NodeRef | undefined, b: NodeRef | undefined): boolean {
  return a?.id === b?.id && a?.incarnation === b?.incarnation;
}
