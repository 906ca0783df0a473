import type { Condition as WireCondition, Outcome as WireOutcome } from "../../proto/gen/kv/v1/kv.ts";
import { binaryFromBytes } from "../platform/binary.ts";
import { KvError } from "../platform/errors.ts";
import { asKvError } from "../rpc/errors.ts";
import type { SlotOwner } from "../replication/slot_owner.ts";
import type { Condition, Waiter, WriteRequest } from "../replication/write.ts";
import { fnv1a32 } from "../ring/hash.ts";
import type { Engine, FileLock } from "../storage/engine.ts";
import type { SlotTable } from "./slot_table.ts";

/** Bounds on what a client may store. */
export interface ValueLimits {
  readonly keyBytesMax: number;
  readonly valueBytesMax: number;
}

/** A write as it arrives, before its key was looked at. */
export type IncomingWrite = Omit<WriteRequest, "key" | "hash"> & { readonly key: Uint8Array };

/** Who waits for the answer of a read. */
export interface Reader {
  found(value: Uint8Array, version: number): void;
  notFound(): void;
  failed(error: KvError): void;
}

/** Checks operations, finds the owner of their slot, and carries them out under the lock of their key's file. */
export class Operations {
  constructor(
    private readonly engine: Engine,
    private readonly slots: SlotTable,
    private readonly limits: ValueLimits,
  ) {}

  /** `mayWait`: for the slot to be served again, a little. */
  get(key: Uint8Array, reader: Reader, mayWait = true): void {
    const fault = this.#keyFault(key);
    if (fault !== undefined) return reader.failed(fault);
    const hash = fnv1a32(key);
    const lock = this.engine.lockOf(hash);
    if (lock.tryRead()) this.#read(key, hash, reader, mayWait, lock);
    else lock.read(() => this.#read(key, hash, reader, mayWait, lock));
  }

  /** `mayWait`: for the slot to be served again, a little. */
  write(write: IncomingWrite, waiter: Waiter, mayWait = true): void {
    const fault = this.#keyFault(write.key) ?? this.#valueFault(write.value) ?? idFault(write);
    if (fault !== undefined) return waiter.failed(fault);
    const hash = fnv1a32(write.key);
    const lock = this.engine.lockOf(hash);
    if (lock.tryWrite()) this.#write(write, hash, waiter, mayWait, lock);
    else lock.write(() => this.#write(write, hash, waiter, mayWait, lock));
  }

  /** Under the lock, which it releases. */
  #read(key: Uint8Array, hash: number, reader: Reader, mayWait: boolean, lock: FileLock): void {
    let owner: SlotOwner | undefined;
    try {
      owner = this.slots.ownerOf(hash);
      const found = owner.read(binaryFromBytes(key), hash);
      if (found === undefined) reader.notFound();
      else reader.found(found.value, found.version);
    } catch (cause) {
      const error = asKvError(cause);
      const waits = mayWait && error.code === "unavailable" &&
        owner?.defer(() => this.get(key, reader, false));
      if (!waits) reader.failed(error);
    } finally {
      lock.releaseRead();
    }
  }

  /** Under the lock, which it releases. */
  #write(write: IncomingWrite, hash: number, waiter: Waiter, mayWait: boolean, lock: FileLock): void {
    try {
      const { kind, value, condition, clientId, sequence, lowestUnfinished, retry } = write;
      const key = binaryFromBytes(write.key);
      const request = { kind, key, hash, value, condition, clientId, sequence, lowestUnfinished, retry };
      const again = mayWait ? () => this.write(write, waiter, false) : undefined;
      this.slots.ownerOf(hash).write(request, waiter, again);
    } catch (error) {
      waiter.failed(asKvError(error));
    } finally {
      lock.releaseWrite();
    }
  }

  #keyFault(key: Uint8Array): KvError | undefined {
    if (key.length === 0) return new KvError("invalid", "the key is empty; it must have at least 1 byte");
    const { keyBytesMax } = this.limits;
    if (key.length <= keyBytesMax) return undefined;
    return new KvError("too-large", `the key has ${key.length} bytes, over the limit of ${keyBytesMax}`);
  }

  #valueFault(value: Uint8Array): KvError | undefined {
    const { valueBytesMax } = this.limits;
    if (value.length <= valueBytesMax) return undefined;
    return new KvError(
      "too-large",
      `the value has ${value.length} bytes, over the limit of ${valueBytesMax}`,
    );
  }
}

function idFault({ clientId, sequence }: IncomingWrite): KvError | undefined {
  if (clientId === "") return undefined;
  if (clientId.length !== 16) {
    return new KvError("invalid", `the client id has ${clientId.length} bytes; a UUID has 16`);
  }
  if (Number.isSafeInteger(sequence) && sequence >= 1) return undefined;
  return new KvError("invalid", `the sequence is ${sequence}; it counts a client's writes from 1`);
}

/** The condition of a message. */
export function conditionFrom(condition: WireCondition | undefined): Condition {
  const kind = condition?.kind;
  if (kind === undefined) return undefined;
  return kind.$case === "absent" ? { absent: true } : { version: kind.version };
}

/** The outcome's number is the same in the log, in memory and on the wire. */
export function wireOutcome(outcome: number): WireOutcome {
  return outcome;
}
