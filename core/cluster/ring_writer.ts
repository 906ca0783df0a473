import { CoordinatorError, type Session } from "../coordination/coordinator.ts";
import { KvError } from "../platform/errors.ts";
import type { Random } from "../platform/ports.ts";
import { keptEven } from "../ring/assignment.ts";
import { createRing, ringFromJson, ringToJson } from "../ring/document.ts";
import { DOCUMENT_BYTES_MAX } from "../ring/document_size.ts";
import type { ClusterSettings, Ring } from "../ring/ring.ts";
import type { RingChange } from "./decide/view.ts";

/** A ring as it stands in the coordinator. */
export interface StoredRing {
  readonly ring: Ring;
  /** Version of the coordinator's node, for the compare-and-set. */
  readonly nodeVersion: number;
}

/** The ring that stands at `path`, undefined when there is none. Throws `invalid` when it cannot be understood. */
export async function readRing(
  session: Session,
  path: string,
  changed?: () => void,
): Promise<StoredRing | undefined> {
  const found = await session.get(path, changed);
  return found && { ring: ringFromJson(found.data), nodeVersion: found.stat.version };
}

/**
 * The only writer of the ring: every write is one transaction that checks that our own lock node exists and that the
 * ring is the one that was read. A deposed master therefore cannot write, and two writes cannot interleave.
 */
export class RingWriter {
  constructor(
    private readonly session: Session,
    private readonly path: string,
    /** Path of our node in the lock `master`. */
    private readonly lockNode: string,
    private readonly writer: string,
    private readonly random: Random,
  ) {}

  /**
   * Creates the ring of a new cluster unless there is one, and writes it a second time in the same transaction: its
   * node's version is never 0 afterwards, which the client library would take for "any version".
   */
  async create(
    settings: ClusterSettings,
    bounds: Pick<Ring, "promiseMs" | "replicas">,
  ): Promise<StoredRing> {
    const first = createRing(settings, this.random.uuid(), this.writer, this.random.uuid(), bounds);
    const second = this.#next(first, first);
    try {
      await this.session.transaction([
        { kind: "check", path: this.lockNode },
        { kind: "create", path: this.path, data: ringToJson(first), mode: "persistent" },
        { kind: "set", path: this.path, data: ringToJson(second), version: 0 },
      ]);
    } catch (error) {
      if (!(error instanceof CoordinatorError && error.fault === "node-exists")) throw error;
    }
    const stored = await readRing(this.session, this.path);
    if (stored === undefined) throw new CoordinatorError("no-node", this.path);
    return stored;
  }

  /**
   * Replaces the ring that was read. Resolves with what stands there now when that is our write, even if its reply
   * was lost; rejects with `bad-version` or `no-node` when another wrote or our lock is gone, with `connection-loss`
   * when that cannot be found out now, and with `too-large` before anything is sent.
   */
  async write(read: StoredRing, change: RingChange): Promise<StoredRing> {
    const ring = this.#next(read.ring, change);
    try {
      await this.#set(read, ring);
    } catch (error) {
      if (!(error instanceof CoordinatorError && error.fault === "connection-loss")) throw error;
      return await this.#recognise(ring, error);
    }
    return { ring, nodeVersion: read.nodeVersion + 1 };
  }

  /** Resolves when what was read is what stands there now, and we may write; rejects otherwise, as {@link write} does. */
  async confirm(read: StoredRing): Promise<void> {
    await this.session.transaction([
      { kind: "check", path: this.lockNode },
      { kind: "check", path: this.path, version: read.nodeVersion },
    ]);
  }

  /** Replaces the ring that was read by one that is not its successor. */
  async replace(read: StoredRing, ring: Ring, version: number): Promise<StoredRing> {
    const next = { ...ring, version, writer: this.writer, nonce: this.random.uuid(), previousNonce: "" };
    await this.#set(read, next);
    return { ring: next, nodeVersion: read.nodeVersion + 1 };
  }

  async #set(read: StoredRing, ring: Ring): Promise<void> {
    const data = ringToJson(ring);
    if (data.length > DOCUMENT_BYTES_MAX) {
      const what = `the ring document of ${data.length} bytes is over ${DOCUMENT_BYTES_MAX}`;
      throw new KvError("too-large", what);
    }
    await this.session.transaction([
      { kind: "check", path: this.lockNode },
      { kind: "set", path: this.path, data, version: read.nodeVersion },
    ]);
  }

  #next(before: Ring, change: RingChange): Ring {
    return {
      ...before,
      nodes: change.nodes,
      standbys: change.standbys,
      replicas: change.replicas,
      assigned: keptEven(change),
      slots: change.slots,
      ...(change.forced === undefined ? {} : { forced: change.forced }),
      version: before.version + 1,
      writer: this.writer,
      nonce: this.random.uuid(),
      previousNonce: before.nonce,
    };
  }

  /** After a lost reply: ours if the ring that stands there carries our nonce. */
  async #recognise(ring: Ring, cause: CoordinatorError): Promise<StoredRing> {
    const now = await readRing(this.session, this.path);
    if (now !== undefined && now.ring.nonce === ring.nonce) return now;
    throw cause;
  }
}
