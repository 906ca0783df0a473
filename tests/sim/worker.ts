import type { RunReport } from "./run.ts";

/** The seeds first, first + stride, ... */
export interface WorkerFlags {
  readonly first: number;
  readonly seeds: number;
  readonly stride: number;
  readonly operations: number;
}

/**
 * Runs seeds in a process of their own and gives each report to `take`, until that returns false or all are done.
 * Rejects when the process ends otherwise.
 */
export async function reportsOf(
  main: string,
  flags: WorkerFlags,
  take: (report: RunReport) => boolean,
): Promise<void> {
  const args = Object.entries(flags).flatMap(([name, value]) => [`--${name}`, String(value)]);
  const worker = new Deno.Command(Deno.execPath(), {
    args: ["run", "--no-check", "--allow-read", "--allow-env", main, "--worker", ...args],
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const errors = new Response(worker.stderr).text();
  let wanted = true;
  let rest = "";
  for await (const text of worker.stdout.pipeThrough(new TextDecoderStream())) {
    const lines = (rest + text).split("\n");
    rest = lines.pop()!;
    for (const line of lines) wanted &&= take(JSON.parse(line));
    if (wanted) continue;
    worker.kill("SIGKILL");
    break;
  }
  const { code } = await worker.status;
  const message = await errors;
  if (wanted && code !== 0) throw new Error(`the worker ended with code ${code}: ${message.slice(-500)}`);
}
