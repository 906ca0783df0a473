/**
 * What a program that uses kv sees. `connect` in `client.ts` makes a {@link Client}.
 *
 * @example
 * ```ts
 * const client = connect({ masters: ["127.0.0.1:9666", "127.0.0.1:9667"], clock, random, transport, log });
 * await client.put("a", "1"); // { outcome: "created", version: 1, epoch: 1 }
 * const found = await client.get("a"); // { value: Uint8Array [49], version: 1 }
 * client.close();
 * ```
 */

import type { CopyState, ForceOwnerRequest } from "../../proto/gen/kv/v1/admin.ts";
import type { StatusReply } from "../../proto/gen/kv/v1/kv.ts";
import type { KvError } from "../platform/errors.ts";
import type { Address, Clock, Log, Random, Transport } from "../platform/ports.ts";
import type { NodeRef, Ring, RingNode } from "../ring/ring.ts";

/** 1 to 4096 bytes (the servers may allow another maximum); a string means its UTF-8 bytes. */
export type Key = string | Uint8Array;
export type Value = string | Uint8Array;

export interface CallOptions {
  /** How long the call may take with all its retries; default: `timeoutMs` of the client. */
  readonly timeoutMs?: number;
}

/** At most one of the two conditions. */
export interface WriteOptions extends CallOptions {
  /** Write only if the key has no value. */
  readonly ifAbsent?: boolean;
  /** Write only if the key's value has this version. */
  readonly ifVersion?: number;
}

export interface Versioned {
  readonly value: Uint8Array;
  /** Position (LSN) in the slot's log of the write that made the value; rises with every write of the key. */
  readonly version: number;
}

export type WriteOutcome = "created" | "updated" | "deleted" | "not-found" | "condition-failed";

export interface WriteResult {
  readonly outcome: WriteOutcome;
  /** Of this write; where nothing changed, of the present value, 0 when there is none. */
  readonly version: number;
  /** Epoch of the slot in which the write was answered. */
  readonly epoch: number;
}

export interface DumpedEntry {
  readonly key: Uint8Array;
  /** Empty when only keys were asked for. */
  readonly value: Uint8Array;
  readonly version: number;
  readonly slot: number;
}

export interface NodeDump {
  readonly node: RingNode;
  readonly entries: DumpedEntry[];
}

export interface DumpOptions {
  readonly keysOnly?: boolean;
  /** How long a node may be silent; default: `timeoutMs` of the client. */
  readonly timeoutMs?: number;
}

/** What the ring says of a server's copies. */
export interface SyncSummary {
  /** Slots that it owns. */
  readonly owned: number;
  /** Copies in sync of a slot that it owns, its own included: the fewest and the most; 0 when it owns none. */
  readonly copiesLeast: number;
  readonly copiesMost: number;
  /** Slots of others with which it is in sync. */
  readonly followed: number;
}

/** A server's own account, or why there is none. Exactly one of `reply` and `error` is there. */
export interface ServerStatus {
  readonly address: Address;
  /** The server's entry in the ring if it is a data node. */
  readonly node: RingNode | undefined;
  /** It is listed as a standby. */
  readonly standby?: boolean;
  /** Of data nodes and standbys. */
  readonly sync?: SyncSummary;
  readonly reply?: StatusReply;
  readonly error?: KvError;
}

/**
 * A request is carried out by the server that it is for, or rejected with its reason; with "outcome-unknown" when a change
 * was asked for and no answer tells whether it was made.
 */
export interface Admin {
  /** Lets a data node or standby leave the cluster in order. Resolves when it has begun; the ring tells how far it is. */
  drain(ref: NodeRef, options?: CallOptions): Promise<void>;
  /**
   * Assigns even shares of the slots to the data nodes; `undo`: the rule says again who is to own what. Resolves with the
   * ring that says so; what has to move then moves.
   */
  rebalance(undo: boolean, options?: CallOptions): Promise<Ring>;
  /** What the node has of the slots, in this order. */
  copies(ref: NodeRef, slots: readonly number[], options?: CallOptions): Promise<CopyState[]>;
  /**
   * Gives slots of which no complete copy is alive to a node that may lack acknowledged writes, or a damaged copy back
   * to its owner. Resolves with the ring that says so; {@link copies} tells when it is done.
   */
  forceOwner(request: ForceOwnerRequest, options?: CallOptions): Promise<Ring>;
  /**
   * The ring of `from`, or the newest that any node knows, takes the place of the coordinator's, which was restored from
   * an old copy. Resolves with the ring that says so.
   */
  acceptRing(from: NodeRef | undefined, options?: CallOptions): Promise<Ring>;
}

/**
 * A connection to a cluster, for any number of calls at once. Operations that are issued in the same turn of the event
 * loop travel together, one message for each owner.
 *
 * Calls reject with a `KvError`. Of its codes, "outcome-unknown" says that a write may or may not have taken effect, or
 * take effect a moment later; every other code says that it did not and will not.
 */
export interface Client {
  /** Undefined: the key has no value. */
  get(key: Key, options?: CallOptions): Promise<Versioned | undefined>;
  put(key: Key, value: Value, options?: WriteOptions): Promise<WriteResult>;
  delete(key: Key, options?: WriteOptions): Promise<WriteResult>;

  /** One answer for each key, in the order of the keys; no common moment for all. Waits for all, then rejects if one failed. */
  getMany(keys: readonly Key[], options?: CallOptions): Promise<(Versioned | undefined)[]>;
  /** Each write by itself, all at once: no transaction. Waits for all, then rejects if one failed. */
  putMany(entries: readonly (readonly [Key, Value])[], options?: WriteOptions): Promise<WriteResult[]>;

  /**
   * All keys, node by node in the order of labels; each slot as it was at one moment. A slot that changes hands
   * meanwhile is read again at its new owner, so that a node may come a second time with other slots. Nodes that do not
   * answer are left out, and the error comes after the others.
   */
  dump(options?: DumpOptions): AsyncIterable<NodeDump>;

  /** The newest ring known; waits for the first. */
  ring(options?: CallOptions): Promise<Ring>;
  /** Of the servers that `connect` was given and of all data nodes and standbys of the ring. Never rejects because of one of them. */
  status(options?: CallOptions): Promise<ServerStatus[]>;

  /** What an operator asks of servers. */
  readonly admin: Admin;

  /** Rejects what is under way. No timers or connections are left of this client; the transport stays open. */
  close(): void;
}

export interface ConnectOptions {
  /** Where to look for the ring, in this order: masters; a data node serves too, while no master lives. */
  readonly masters: readonly Address[];
  readonly clock: Clock;
  readonly random: Random;
  readonly transport: Transport;
  readonly log: Log;
  /** Default time limit of a call; default 5000. */
  readonly timeoutMs?: number;
  /** How often the followed server is pinged; default 300. */
  readonly pingPeriodMs?: number;
  /** Longer keys are refused before they are sent; default: left to the servers. */
  readonly keyBytesMax?: number;
  /** Longer values are refused before they are sent; default: left to the servers. */
  readonly valueBytesMax?: number;
}
