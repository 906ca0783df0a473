import type { Coordinator, Session, SessionState } from "../coordination/coordinator.ts";
import { messageOf } from "../platform/errors.ts";
import type { Clock, Log, Random } from "../platform/ports.ts";

/** What a role does with a session: called for each new one, and told of its end. */
export interface SessionUser {
  /** A new session is open; whatever belonged to the one before is void. */
  opened(session: Session): void;
  /** The session came back after it was suspended: watches may have been missed. */
  resumed(session: Session): void;
  /** The session has ended, its ephemeral nodes are gone or going. */
  ended(): void;
}

/** Keeps one session open: a new one after each expiry, tried again for as long as no server answers. */
export class SessionKeeper {
  #session: Session | undefined;
  #stopped = false;
  #opening = Promise.resolve();

  constructor(
    private readonly coordinator: Coordinator,
    private readonly clock: Clock,
    private readonly random: Random,
    private readonly log: Log,
    private readonly user: SessionUser,
  ) {}

  get session(): Session | undefined {
    return this.#session;
  }

  /** The state of the present session; `suspended` while there is none. */
  get state(): SessionState {
    return this.#stopped ? "closed" : this.#session?.state ?? "suspended";
  }

  start(): void {
    this.#opening = this.#open();
  }

  /** Ends the session, which removes its ephemeral nodes where the servers can be reached. */
  async stop(): Promise<void> {
    this.#stopped = true;
    await this.#session?.close();
    await this.#opening;
  }

  async #open(): Promise<void> {
    let warned = false;
    while (!this.#stopped) {
      try {
        const session = await this.coordinator.open();
        if (this.#stopped) return await session.close();
        return this.#use(session);
      } catch (error) {
        const level = warned ? "debug" : "warn";
        this.log(level, "the coordinator cannot be reached; trying on", { error: messageOf(error) });
        warned = true;
      }
      await this.clock.sleep(100 + this.random.below(400));
    }
  }

  #use(session: Session): void {
    this.#session = session;
    session.onState((state) => {
      if (this.#stopped || session !== this.#session) return;
      if (state === "connected") this.user.resumed(session);
      if (state !== "expired" && state !== "closed") return;
      this.log("warn", "the session at the coordinator has ended; opening a new one", { state });
      this.#session = undefined;
      this.user.ended();
      this.start();
    });
    this.user.opened(session);
  }
}
