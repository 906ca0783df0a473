/** A role in a process of its own: this program again, its lines carried on with the role's name before them. */

import { KvError } from "../../core/platform/errors.ts";
import { type Io, linesOf } from "../framework/io.ts";

export class Child {
  /** Resolves with the exit code; a signal makes it 128 and more. */
  readonly ended: Promise<number>;
  readonly #process: Deno.ChildProcess;
  readonly #lines: string[] = [];
  #stopping: Promise<void> | undefined;
  #changed = Promise.withResolvers<void>();
  #running = true;

  /** Starts `kv ARGS`. `name` stands before its messages, such as `data1`. */
  constructor(readonly name: string, args: readonly string[], private readonly io: Io) {
    const [program, ...before] = ownCommand();
    this.#process = new Deno.Command(program, {
      // However `kv up` ends, this pipe ends with it, and so do its processes.
      args: [...before, ...args, "--end-with-stdin"],
      stdin: "piped",
      stdout: "piped",
      stderr: "piped",
      // Out of the terminal's reach: Ctrl-C stops `kv up`, and that stops its processes, once.
      detached: true,
    }).spawn();
    const printed = forEachLine(this.#process.stdout, (line) => this.#said(line));
    const logged = forEachLine(this.#process.stderr, (line) => io.err(`[${name}] ${line}`));
    this.ended = Promise.all([this.#process.status, printed, logged]).then(([{ code }]) => {
      this.#running = false;
      this.#wake();
      return code;
    });
    addEventListener("unload", this.#kill);
  }

  /** The first line that begins with `start`. Rejects when the process ends before it has said so. */
  async line(start: string): Promise<string> {
    for (;;) {
      const found = this.#lines.find((line) => line.startsWith(start));
      if (found !== undefined) return found;
      if (!this.#running) {
        throw new KvError("refused", `${this.name} ended before it was ready; its messages are above`);
      }
      await this.#changed.promise;
    }
  }

  /** A node stays in the cluster: all are to come up again together. */
  stop(): Promise<void> {
    return this.#stopping ??= (async () => {
      await this.#process.stdin.close();
      await this.ended;
      removeEventListener("unload", this.#kill);
    })();
  }

  /** When `kv up` ends in haste its processes are not to outlive it. */
  readonly #kill = () => {
    if (this.#running) this.#process.kill("SIGKILL");
  };

  #said(line: string): void {
    this.io.out(line + "\n");
    this.#lines.push(line);
    this.#wake();
  }

  #wake(): void {
    this.#changed.resolve();
    this.#changed = Promise.withResolvers();
  }
}

/**
 * How to start this program again: the start script says where it is (`KV_SELF`); a compiled program is one file; else
 * this is Deno with `main.ts`.
 */
function ownCommand(): [program: string, ...args: string[]] {
  const self = Deno.env.get("KV_SELF");
  if (self) return [self];
  if (Deno.build.standalone) return [Deno.execPath()];
  return [Deno.execPath(), "run", "--quiet", "--allow-all", Deno.mainModule];
}

async function forEachLine(stream: ReadableStream<Uint8Array>, visit: (line: string) => void): Promise<void> {
  const decoder = new TextDecoder();
  for await (const line of linesOf(stream)) visit(decoder.decode(line));
}
