import type { Host } from "./network.ts";
import { KvProcess } from "./process.ts";

export type Kind = "master" | "data" | "standby";

const ANNOUNCED = /^(ready|waiting) (\w+) (\S+)$/;

/** What a server has said last of what it is. */
export interface Announced {
  readonly state: "ready" | "waiting";
  readonly role: string;
  readonly address: string;
}

/** A server of a cluster: its process, and what is needed to start it again. */
export class Server {
  process: KvProcess;
  /** The address printed when it last served. */
  address = "";
  /** Where it listens: at a free port, once known at this one, if clients must find it there again. */
  listen: string;

  constructor(
    readonly name: string,
    public kind: Kind,
    /** The machine it runs on; undefined: this one. */
    readonly host: Host | undefined,
    /** Undefined for masters, which keep nothing. */
    public folder: string | undefined,
    private readonly common: readonly string[],
  ) {
    this.listen = `${host?.address ?? "127.0.0.1"}:`;
    this.process = this.#spawn();
  }

  /** Its command, without what is the same for all servers. */
  get args(): readonly string[] {
    const folder = this.folder === undefined ? [] : ["--data", this.folder];
    return [this.kind, "--addr", this.listen, ...folder];
  }

  /** By its last line; undefined: it has said nothing yet. A standby that was promoted has `ready data` as its last. */
  get announced(): Announced | undefined {
    const line = this.process.out.split("\n").slice(0, -1).findLast((line) => ANNOUNCED.test(line));
    const [, state, role, address] = line?.match(ANNOUNCED) ?? [];
    return line === undefined
      ? undefined
      : { state: state as Announced["state"], role: role!, address: address! };
  }

  /** Starts it again after its end. */
  startAgain(): void {
    this.process = this.#spawn();
  }

  /** Waits until it has said what it is. */
  async serving(): Promise<void> {
    this.address = (await this.process.line(ANNOUNCED))[3]!;
  }

  #spawn(): KvProcess {
    return new KvProcess([...this.args, ...this.common], { via: this.host?.enter ?? [] });
  }
}
