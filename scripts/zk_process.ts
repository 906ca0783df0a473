/** A process on this machine, told from a later one with the same number by the moment of its start. */
export interface ProcessIdentity {
  readonly pid: number;
  /** Field 22 of /proc/PID/stat: ticks from the machine's start to the process's. */
  readonly startTicks: number;
}

/** Undefined when there is no such process, or it is dead and only waits to be collected. */
export function identify(pid: number): ProcessIdentity | undefined {
  // By a program: Deno itself reads below /proc only when it may do everything.
  const { stdout } = new Deno.Command("cat", { args: [`/proc/${pid}/stat`], stderr: "null" }).outputSync();
  const stat = new TextDecoder().decode(stdout);
  if (stat === "") return undefined;
  // The second field is the name in parentheses, which may hold anything: count from its end, at field 3.
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return fields[0] === "Z" ? undefined : { pid, startTicks: Number(fields[19]) };
}

export function isAlive(identity: ProcessIdentity): boolean {
  return identify(identity.pid)?.startTicks === identity.startTicks;
}

/** Sends the signal if it is still that process. */
export function signal(identity: ProcessIdentity, name: Deno.Signal): void {
  if (!isAlive(identity)) return;
  try {
    Deno.kill(identity.pid, name);
  } catch (error) {
    if (isAlive(identity)) throw error;
  }
}

/**
 * Starts a program that goes on when this process ends; its output is appended to the file `log`.
 */
export function startDetached(program: string, args: readonly string[], log: string): ProcessIdentity {
  const script = 'log=$1; shift; exec "$@" >>"$log" 2>&1 </dev/null';
  const child = new Deno.Command("sh", {
    args: ["-c", script, "sh", log, program, ...args],
    stdin: "null",
    stdout: "null",
    stderr: "null",
    detached: true,
  }).spawn();
  child.unref();
  const identity = identify(child.pid);
  if (identity === undefined) throw new Error(`${program} ended at once; its output is in ${log}`);
  return identity;
}

/** Looks every 100 ms until `done`; false when the time has passed first. */
export async function poll(limitMs: number, done: () => boolean | Promise<boolean>): Promise<boolean> {
  const endMs = performance.now() + limitMs;
  while (!(await done())) {
    if (performance.now() > endMs) return false;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  return true;
}
