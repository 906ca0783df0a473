/** A cluster in a process of its own, on a data folder of its own, for benchmarks. */

export interface BenchCluster extends AsyncDisposable {
  /** Address of the master. */
  readonly master: string;
  readonly pid: number;
  readonly folder: string;
}

/** Runs `scripts/kv` with the arguments, a fresh folder and free ports; resolves when it says that it is ready. */
export async function startCluster(args: readonly string[]): Promise<BenchCluster> {
  const folder = await Deno.makeTempDir({ prefix: "kv-bench-" });
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
  return {
    master,
    pid: child.pid,
    folder,
    async [Symbol.asyncDispose]() {
      child.kill("SIGTERM");
      await lines.cancel();
      await child.status;
      await Deno.remove(folder, { recursive: true });
    },
  };
}
