/** Real kv processes: from the sources, or the executable that the environment variable KV_BIN names. */

const PROJECT = `${import.meta.dirname}/../../../`;
const BINARY = Deno.env.get("KV_BIN");
const TEMP = Deno.env.get("TMPDIR");

export const kvProgram = BINARY ?? `${PROJECT}scripts/kv`;

/** Long enough for a loaded machine; a wait that takes longer has failed. */
export const PATIENCE_MS = 60_000;
/** A process that is asked to stop and does not is killed after this time. */
const GRACE_MS = 10_000;

export interface RunResult {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

export interface SpawnOptions {
  readonly cwd?: string;
  /** All of standard input; without it, standard input is empty. */
  readonly stdin?: string | Uint8Array;
  /** The command that runs a program somewhere else, such as on a host of a {@link Network}. */
  readonly via?: readonly string[];
  /** Standard error goes into the pipe of standard output, so that it can be seen what came first. */
  readonly merged?: boolean;
}

/** Runs kv until it ends by itself. */
export async function runKv(args: readonly string[], options: SpawnOptions = {}): Promise<RunResult> {
  await using kv = new KvProcess(args, options);
  const code = await kv.ended();
  return { code, out: kv.out, err: kv.err };
}

/** A kv process with what it has printed so far. Disposing of it ends it, and only it. */
export class KvProcess implements AsyncDisposable {
  out = "";
  err = "";

  readonly #args: readonly string[];
  readonly #child: Deno.ChildProcess;
  readonly #finished: Promise<Deno.CommandStatus>;
  #status: Deno.CommandStatus | undefined;
  #changed = Promise.withResolvers<void>();

  constructor(args: readonly string[], { cwd, stdin = "", via = [], merged = false }: SpawnOptions = {}) {
    this.#args = args;
    const merging = merged ? ["sh", "-c", 'exec "$0" "$@" 2>&1'] : [];
    const [program, ...rest] = [...via, ...merging, kvProgram, ...args];
    this.#child = new Deno.Command(program!, {
      args: rest,
      // What a built kv unpacks goes with the other files of the tests.
      env: BINARY !== undefined && TEMP !== undefined ? { XDG_CACHE_HOME: TEMP } : {},
      ...(cwd === undefined ? {} : { cwd }),
      stdin: "piped",
      stdout: "piped",
      stderr: "piped",
    }).spawn();
    const output = [
      this.#read(this.#child.stdout, (text) => this.out += text),
      this.#read(this.#child.stderr, (text) => this.err += text),
      this.#feed(typeof stdin === "string" ? new TextEncoder().encode(stdin) : stdin),
    ];
    this.#finished = Promise.all(output).then(() => this.#child.status);
    this.#finished.then((status) => {
      this.#status = status;
      this.#changed.resolve();
    });
  }

  get pid(): number {
    return this.#child.pid;
  }

  get hasEnded(): boolean {
    return this.#status !== undefined;
  }

  /** Waits for a line on standard output; rejects with all output when the process ends first or nothing comes. */
  async line(pattern: RegExp): Promise<RegExpMatchArray> {
    return (await this.lines(pattern, 1))[0]!;
  }

  /** Waits until at least `count` such lines have come; returns all of them. */
  lines(pattern: RegExp, count: number): Promise<RegExpMatchArray[]> {
    return this.#lines(pattern, count, () => this.out);
  }

  /** As {@link line}, on standard error. That says nothing of how far standard output, another pipe, has been read. */
  async errorLine(pattern: RegExp): Promise<RegExpMatchArray> {
    return (await this.#lines(pattern, 1, () => this.err))[0]!;
  }

  async #lines(pattern: RegExp, count: number, printed: () => string): Promise<RegExpMatchArray[]> {
    using patience = new Patience();
    while (true) {
      const lines = printed().split("\n").slice(0, -1);
      const found = lines.map((line) => line.match(pattern)).filter((match) => match !== null);
      if (found.length >= count) return found;
      if (this.#status !== undefined) {
        throw this.#failure(`ended with ${describe(this.#status)} before it printed ${pattern}`);
      }
      if (patience.exhausted) throw this.#failure(`did not print ${pattern} in ${PATIENCE_MS} ms`);
      await Promise.race([this.#changed.promise, patience.end]);
    }
  }

  /** Waits for `ready ROLE ADDRESS` and returns the address. */
  async ready(role: string): Promise<string> {
    return (await this.line(new RegExp(`^ready ${role} (\\S+)$`)))[1]!;
  }

  /** Waits for the end; returns the exit code, or 128 plus the signal's number. */
  async ended(): Promise<number> {
    using patience = new Patience();
    await Promise.race([this.#finished, patience.end]);
    if (this.#status === undefined) throw this.#failure(`did not end in ${PATIENCE_MS} ms`);
    return this.#status.code;
  }

  /** Sends the signal without waiting for what comes of it; nothing when the process has ended. */
  signal(signal: Deno.Signal): void {
    try {
      this.#child.kill(signal);
    } catch (error) {
      // Deno's answer for a process that has ended; its number may be another's by now.
      if (!(error instanceof TypeError)) throw error;
    }
  }

  /** Kills the process as `kill -9` does and waits for its end. */
  async kill(): Promise<void> {
    this.signal("SIGKILL");
    await this.#finished;
  }

  /** Asks first, for the sake of processes that it may have started. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.signal("SIGTERM");
    using grace = new Patience(GRACE_MS);
    await Promise.race([this.#finished, grace.end]);
    await this.kill();
  }

  async #read(stream: ReadableStream<Uint8Array<ArrayBuffer>>, add: (text: string) => void): Promise<void> {
    for await (const text of stream.pipeThrough(new TextDecoderStream())) {
      add(text);
      this.#changed.resolve();
      this.#changed = Promise.withResolvers();
    }
  }

  async #feed(bytes: Uint8Array): Promise<void> {
    const writer = this.#child.stdin.getWriter();
    try {
      await writer.write(bytes);
      await writer.close();
    } catch (error) {
      if (!(error instanceof Deno.errors.BrokenPipe)) throw error;
    }
  }

  #failure(what: string): Error {
    return new Error(`kv ${this.#args.join(" ")} ${what}\n--- stdout\n${this.out}\n--- stderr\n${this.err}`);
  }
}

function describe({ code, signal }: Deno.CommandStatus): string {
  return signal === null ? `exit code ${code}` : signal;
}

/** A time limit as a promise that can be raced; dispose of it to stop the timer. */
class Patience implements Disposable {
  exhausted = false;
  readonly end: Promise<void>;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(limitMs = PATIENCE_MS) {
    this.end = new Promise((resolve) => {
      this.#timer = setTimeout(() => {
        this.exhausted = true;
        resolve();
      }, limitMs);
    });
  }

  [Symbol.dispose](): void {
    clearTimeout(this.#timer);
  }
}
