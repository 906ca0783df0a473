import { messageOf } from "../platform/errors.ts";
import type { Clock, Log, Random } from "../platform/ports.ts";
import { CoordinatorError, type CoordinatorFault, type Session } from "./coordinator.ts";
import { childPath } from "./validate.ts";

/** How often a waiter or holder looks by itself: watches are hints and get lost. Half of it is jitter. */
const LOOK_AGAIN_MS = 4000;
/** After a lost connection, before the next try. Half of it is jitter. */
const RETRY_MS = 200;

export interface LockWorld {
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
}

/** `waiting` -> `held`; either -> `lost` or `released`, both final. */
export type LockState = "waiting" | "held" | "lost" | "released";

/** Who stands first in the line for a lock. */
export interface LockHolder {
  /** Its node. */
  readonly path: string;
  /** What it gave to {@link LockRequest.enter}. */
  readonly data: string;
}

/**
 * A place in the line for a lock: the recipe of ZooKeeper's documentation ("Locks"). Each request makes an ephemeral
 * sequential child `_c_<uuid>-lock-<ten digits>`; the lowest number holds the lock, each other one watches only the
 * one before it. The uuid tells one's own node after a create whose answer was lost.
 *
 * Holding is no more than an opinion of the past: a process may sleep between looking and acting. What must be done
 * by the holder alone is fenced, by a transaction that checks the existence of {@link path}. While the session is
 * suspended the lock is neither lost nor safe.
 *
 * ```ts
 * const lock = LockRequest.enter(session, world, "/kv/lock/master", address);
 * await lock.acquired;
 * await session.transaction([{ kind: "check", path: lock.path! }, setRing]);
 * await lock.release();
 * ```
 */
export class LockRequest {
  /** Resolves when the lock is held; rejects with {@link CoordinatorError} when it is lost or released before. */
  readonly acquired: Promise<void>;
  /** Resolves with the reason when the lock, or the place in the line, is lost; stays open after {@link release}. */
  readonly lost: Promise<string>;

  #state: LockState = "waiting";
  #path: string | undefined;
  #releasing = false;
  readonly #acquired = Promise.withResolvers<void>();
  readonly #lost = Promise.withResolvers<string>();
  readonly #prefix: string;
  readonly #finished: Promise<void>;
  /** Ends the present wait of the loop; kept as one function, so that it is one watch. */
  #wake: () => void = () => {};
  readonly #poke = () => this.#wake();

  private constructor(
    private readonly session: Session,
    private readonly world: LockWorld,
    private readonly lockPath: string,
    private readonly data: string,
  ) {
    this.acquired = this.#acquired.promise;
    this.acquired.catch(() => {}); // nobody is obliged to look
    this.lost = this.#lost.promise;
    this.#prefix = `_c_${world.random.uuid()}-lock-`;
    this.#finished = this.#run();
  }

  /** Joins the line at once, in the background. `data` tells people and the master who this is. */
  static enter(session: Session, world: LockWorld, lockPath: string, data: string): LockRequest {
    return new LockRequest(session, world, lockPath, data);
  }

  get state(): LockState {
    return this.#state;
  }

  /** The own node, once it is made: what fenced transactions check. */
  get path(): string | undefined {
    return this.#path;
  }

  /**
   * Gives the lock, or the place in the line, up. Resolves when the node is removed or the session has ended; with a
   * lost connection it keeps trying that long. Never rejects.
   */
  release(): Promise<void> {
    this.#releasing = true;
    this.#poke();
    return this.#finished;
  }

  async #run(): Promise<void> {
    const stop = this.session.onState(this.#poke);
    try {
      await this.#retrying(() => this.session.ensurePath(this.lockPath));
      if (!this.#releasing) this.#path = await this.#createOwn();
      while (!this.#releasing) await this.#retrying(() => this.#lookAndWait());
      await this.#removeOwn();
      this.#end("released", "the lock was released");
    } catch (error) {
      this.#end(this.#releasing ? "released" : "lost", messageOf(error));
    } finally {
      stop();
    }
  }

  /** Makes the own node. After a lost connection it may have been made: look for it before trying again. */
  async #createOwn(): Promise<string> {
    const create = () =>
      this.session.create(childPath(this.lockPath, this.#prefix), this.data, "ephemeral-sequential");
    try {
      return await create();
    } catch (error) {
      if (!hasFault(error, "connection-loss")) throw error;
    }
    for (;;) {
      await this.#pause();
      try {
        return (await this.#findOwn()) ?? await create();
      } catch (error) {
        if (!hasFault(error, "connection-loss")) throw error;
      }
    }
  }

  async #findOwn(): Promise<string | undefined> {
    // A transaction goes through the leader and is answered after all that was committed before it, so that the server
    // we read from has at least that; a read alone may miss the node that we made.
    await this.session.transaction([{ kind: "check", path: this.lockPath }]);
    const own = (await this.session.children(this.lockPath)).find((name) => name.startsWith(this.#prefix));
    return own && childPath(this.lockPath, own);
  }

  async #lookAndWait(): Promise<void> {
    const woken = this.#nextWake(LOOK_AGAIN_MS);
    try {
      const watched = await this.#look();
      if (watched === undefined || await this.session.get(watched, this.#poke) === undefined) return;
      if (!this.#releasing) await woken;
    } finally {
      this.#wake();
    }
  }

  /** Returns the node to watch: the one before the own, or the own when it is first. */
  async #look(): Promise<string | undefined> {
    const line = await lineOf(this.session, this.lockPath);
    for (const path of line) {
      // A create whose answer was lost may be carried out after we looked for it.
      if (path !== this.#path && path.includes(this.#prefix)) await removeIfThere(this.session, path);
    }
    const place = line.indexOf(this.#path!);
    if (place < 0) {
      // A server that lags may not show it yet: ask the leader, who answers `no-node` when it is really gone.
      await this.session.transaction([{ kind: "check", path: this.#path! }]);
      await this.#pause();
      return undefined;
    }
    if (place === 0 && this.#state === "waiting") {
      this.#state = "held";
      this.#acquired.resolve();
    }
    return line[Math.max(0, place - 1)];
  }

  async #removeOwn(): Promise<void> {
    const path = this.#path;
    if (path === undefined) return;
    try {
      await this.#retrying(() => removeIfThere(this.session, path));
    } catch (error) {
      if (!hasFault(error, "session-expired")) throw error;
    }
  }

  /** Carries on over lost connections; all else is thrown. */
  async #retrying(action: () => Promise<void>): Promise<void> {
    for (;;) {
      try {
        return await action();
      } catch (error) {
        if (!hasFault(error, "connection-loss")) throw error;
        await this.#pause();
      }
    }
  }

  #pause(): Promise<void> {
    return this.world.clock.sleep(this.#jittered(RETRY_MS));
  }

  /** Resolves at the next wake or after a while. Made before looking, so that no wake is missed in between. */
  #nextWake(withinMs: number): Promise<void> {
    return new Promise((resolve) => {
      const cancel = this.world.clock.after(this.#jittered(withinMs), resolve);
      this.#wake = () => {
        cancel();
        resolve();
      };
    });
  }

  #jittered(ms: number): number {
    return ms / 2 + this.world.random.below(ms / 2);
  }

  #end(state: "lost" | "released", why: string): void {
    this.#wake();
    this.#state = state;
    this.#acquired.reject(new CoordinatorError("session-expired", this.lockPath, `lock not held: ${why}`));
    if (state === "lost") {
      this.world.log("debug", "lock lost", { lock: this.lockPath, why });
      this.#lost.resolve(why);
    }
  }
}

/** The first in the line for the lock, or undefined when nobody is. A read, that may be a moment old. */
export async function lockHolder(session: Session, lockPath: string): Promise<LockHolder | undefined> {
  for (const path of await lineOf(session, lockPath)) {
    const node = await session.get(path);
    if (node !== undefined) return { path, data: node.data };
  }
  return undefined;
}

/** Takes the lock from a holder that has it for too long, who learns it as `lost`. Nothing when it is gone already. */
export async function breakLock(session: Session, holder: LockHolder): Promise<void> {
  await removeIfThere(session, holder.path);
}

async function removeIfThere(session: Session, path: string): Promise<void> {
  try {
    await session.remove(path);
  } catch (error) {
    if (!hasFault(error, "no-node")) throw error;
  }
}

/** The nodes of all requests, in the order of the ten digits at their end, which the coordinator gave. */
async function lineOf(session: Session, lockPath: string): Promise<string[]> {
  try {
    const numberOf = (name: string) => name.slice(-10);
    const names = (await session.children(lockPath)).filter((name) => name.startsWith("_c_"));
    return names.sort((a, b) => (numberOf(a) < numberOf(b) ? -1 : 1)).map((name) =>
      childPath(lockPath, name)
    );
  } catch (error) {
    if (hasFault(error, "no-node")) return [];
    throw error;
  }
}

function hasFault(error: unknown, fault: CoordinatorFault): boolean {
  return error instanceof CoordinatorError && error.fault === fault;
}
