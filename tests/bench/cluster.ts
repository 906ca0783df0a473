/** A cluster in a process of its own, on a data folder of its own, for benchmarks. */

export interface BenchCluster extends AsyncDisposable {
  /** Address of the master. */
  readonly master: string;
  readonly pid: number;
  readonly folder: string;
  /** From the start of the process until it was ready. */
  readonly startMs: number;
  /** Memory of the process now, and the most it ever was. */
  memory(): { nowMiB: number; mostMiB: number };
  /** Ends the process; its folder stays until the disposal. */
  end(signal?: "SIGTERM" | "SIGKILL"): Promise<void>;
}

/**
 * Runs `scripts/kv` with the arguments and free ports, on a fresh folder or on one that another left; resolves when it
 * says that it is ready.
 */
export async function startCluster(args: readonly string[], left?: string): Promise<BenchCluster> {
  const folder = left ?? await Deno.makeTempDir({ prefix: "kv-bench-" });
  const startedMs = performance.now();
  const child = new Deno.Command("scripts/kv", {
    args: [...args, "--dir", folder, "--auto-port"],
    stdin: "null",
    stdout: "piped",
    stderr: "inherit",
  }).spawn();
  const lines = child.stdout.pipeThrough(new TextDecoderStream()).getReader();
  let seen = "";
  let master: string | undefined;
  while (master === undefined || !/^ready data /m.test(seen)) {
    const { value, done } = await lines.read();
    if (done) throw new Error(`scripts/kv ${args.join(" ")} ended before it was ready: ${seen}`);
    seen += value;
    master = /^ready master (\S+)$/m.exec(seen)?.[1];
  }
  let running = true;
  const end = async (signal: "SIGTERM" | "SIGKILL" = "SIGTERM") => {
    if (running) child.kill(signal);
    running = false;
    await lines.cancel();
    await child.status;
  };
  return {
    master,
    pid: child.pid,
    folder,
    startMs: performance.now() - startedMs,
    memory: () => memoryOf(child.pid),
    end,
    async [Symbol.asyncDispose]() {
      await end();
      await Deno.remove(folder, { recursive: true });
    },
  };
}

/** Deno lets a program with all rights alone look at another process. */
function memoryOf(pid: number): { nowMiB: number; mostMiB: number } {
  const status = Deno.readTextFileSync(`/proc/${pid}/status`);
  const mib = (name: string) => Number(new RegExp(`${name}:\\s+(\\d+) kB`).exec(status)![1]) / 1024;
  return { nowMiB: mib("VmRSS"), mostMiB: mib("VmHWM") };
}
