/** What the tests of the command line share: a client that keeps its keys in memory, and an Io that remembers. */

import type {
  Admin,
  Client,
  DumpedEntry,
  Key,
  NodeDump,
  ServerStatus,
  Value,
  Versioned,
  WriteOptions,
  WriteResult,
} from "../../core/client/api.ts";
import { KvError } from "../../core/platform/errors.ts";
import { createRing } from "../../core/ring/document.ts";
import { fnv1a32 } from "../../core/ring/hash.ts";
import type { CopyState } from "../../proto/gen/kv/v1/admin.ts";
import type { NodeRef, Ring, RingNode } from "../../core/ring/ring.ts";
import { program } from "../../commands/framework/program.ts";
import type { Io } from "../../commands/framework/io.ts";

const MSN = 137;

/** A good copy. */
export const COPY: CopyState = {
  ...{
    slot: 0,
    lastEpoch: 3,
    lastLsn: 40,
    keys: 2,
    bytes: 30,
    unusable: "",
    serving: false,
    salvaged: undefined,
  },
};

export function bytes(text: Key): Uint8Array {
  return typeof text === "string" ? new TextEncoder().encode(text) : text;
}

export function node(address: string, label: number): RingNode {
  return { ref: { id: `node-${label}`, incarnation: 1 }, address, label, leaving: false };
}

/** Two data nodes with the labels 0 and 68; a key lies on the nearer one, the lower label where both are as near. */
export class FakeClient implements Client {
  readonly nodes = [node("127.0.0.1:43309", 0), node("127.0.0.1:39755", 68)];
  readonly entries = new Map<string, DumpedEntry>();
  servers: ServerStatus[] = [];
  /** What the ring has besides the nodes, each owning its share alone. */
  ringChanges: Partial<Ring> = {};
  closed = false;
  /** What an operator has asked for. */
  readonly asked: string[] = [];
  /** Called with what is asked for. */
  onAsked: (what: string) => void = () => {};
  /** What a node says of a slot. */
  copyOf: (slot: number, ref: NodeRef) => CopyState = (slot) => ({ ...COPY, slot });
  readonly admin: Admin = {
    drain: (ref) => this.#ask(`drain ${ref.id}`),
    rebalance: async (undo) => {
      await this.#ask(undo ? "rebalance undo" : "rebalance");
      return await this.ring();
    },
    copies: (ref, slots) => Promise.resolve(slots.map((slot) => this.copyOf(slot, ref))),
    forceOwner: async (request) => {
      await this.#ask(`force ${JSON.stringify(request)}`);
      return await this.ring();
    },
    acceptRing: async (from) => {
      await this.#ask(`accept ${from?.id ?? "the newest"}`);
      return await this.ring();
    },
  };
  /** Thrown by the operations on these keys. */
  readonly failing = new Map<string, Error>();
  #version = 0;

  // deno-lint-ignore require-await -- what it throws becomes a rejection
  async get(key: Key): Promise<Versioned | undefined> {
    return this.entries.get(this.#check(key));
  }

  // deno-lint-ignore require-await -- as above
  async put(key: Key, value: Value, options: WriteOptions = {}): Promise<WriteResult> {
    const name = this.#check(key);
    const before = this.entries.get(name);
    if (!holds(before, options)) return conditionFailed(before);
    const version = ++this.#version;
    const slot = fnv1a32(bytes(key)) % MSN;
    this.entries.set(name, { key: bytes(key), value: bytes(value), version, slot });
    return { outcome: before === undefined ? "created" : "updated", version, epoch: 1 };
  }

  // deno-lint-ignore require-await -- as above
  async delete(key: Key, options: WriteOptions = {}): Promise<WriteResult> {
    const name = this.#check(key);
    const before = this.entries.get(name);
    if (!holds(before, options)) return conditionFailed(before);
    if (before === undefined) return { outcome: "not-found", version: 0, epoch: 1 };
    this.entries.delete(name);
    return { outcome: "deleted", version: ++this.#version, epoch: 1 };
  }

  getMany(keys: readonly Key[]): Promise<(Versioned | undefined)[]> {
    return Promise.all(keys.map((key) => this.get(key)));
  }

  putMany(entries: readonly (readonly [Key, Value])[], options?: WriteOptions): Promise<WriteResult[]> {
    return Promise.all(entries.map(([key, value]) => this.put(key, value, options)));
  }

  async *dump(): AsyncIterable<NodeDump> {
    for (const node of this.nodes) {
      const entries = [...this.entries.values()].filter(({ slot }) => this.#ownerOf(slot) === node);
      yield { node, entries };
    }
    const error = this.failing.get("dump");
    if (error !== undefined) throw await Promise.resolve(error);
  }

  ring(): Promise<Ring> {
    const empty = createRing({ msn: MSN, hash: "fnv1a32", levels: 2 }, "test", "", "");
    const slots = empty.slots.map((_, slot) => {
      const { ref } = this.#ownerOf(slot);
      return { owner: ref, epoch: 1, isr: [ref], isrSeq: 1 };
    });
    return Promise.resolve({ ...empty, nodes: this.nodes, slots, ...this.ringChanges });
  }

  status(): Promise<ServerStatus[]> {
    return Promise.resolve(this.servers);
  }

  close(): void {
    this.closed = true;
  }

  async #ask(what: string): Promise<void> {
    this.asked.push(what);
    await Promise.resolve();
    this.onAsked(what);
  }

  #check(key: Key): string {
    const name = String(bytes(key));
    const text = new TextDecoder().decode(bytes(key));
    const error = this.failing.get(text);
    if (error !== undefined) throw error;
    if (text === "") throw new KvError("invalid", "the key is empty");
    return name;
  }

  #ownerOf(slot: number): RingNode {
    const distance = ({ label }: RingNode) => Math.min(Math.abs(slot - label), MSN - Math.abs(slot - label));
    return this.nodes.reduce((best, node) => distance(node) < distance(best) ? node : best);
  }
}

function holds(before: DumpedEntry | undefined, { ifAbsent, ifVersion }: WriteOptions): boolean {
  return ifVersion === undefined ? !ifAbsent || before === undefined : before?.version === ifVersion;
}

function conditionFailed(before: DumpedEntry | undefined): WriteResult {
  return { outcome: "condition-failed", version: before?.version ?? 0, epoch: 1 };
}

export interface Recorded extends Io {
  readonly stdout: () => string;
  readonly stdoutBytes: () => Uint8Array;
  readonly stderr: () => string;
}

/** `input` is all of standard input, in pieces of `pieceBytes`. */
export function recordingIo(input: string | Uint8Array = "", pieceBytes = 3): Recorded {
  const out: number[] = [];
  let err = "";
  return {
    stdinIsTerminal: false,
    out: (text) => out.push(...bytes(text)),
    err: (line) => {
      err += line + "\n";
    },
    async *stdin() {
      const all = await Promise.resolve(bytes(input));
      for (let at = 0; at < all.length; at += pieceBytes) yield all.subarray(at, at + pieceBytes);
    },
    stdout: () => new TextDecoder().decode(new Uint8Array(out)),
    stdoutBytes: () => new Uint8Array(out),
    stderr: () => err,
  };
}

/** Runs kv against the client, as from the command line. */
export async function kv(client: Client, words: string[], input: string | Uint8Array = "") {
  const io = recordingIo(input);
  const code = await program(words, io, () => Promise.resolve(client));
  return { code, stdout: io.stdout(), stdoutBytes: io.stdoutBytes(), stderr: io.stderr() };
}
