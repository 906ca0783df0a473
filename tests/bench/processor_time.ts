/** Processor time of processes: what counts where several of them share the cores of one machine. */

/** A process that a benchmark watches. */
export interface Watched {
  readonly name: string;
  readonly pid: number;
}

/** How much each process has used so far, all threads, in microseconds. Deno lets a program with all rights alone see it. */
export function usedUs(processes: readonly Watched[]): number[] {
  return processes.map(({ pid }) => {
    let ns = 0;
    for (const { name } of Deno.readDirSync(`/proc/${pid}/task`)) {
      ns += Number(Deno.readTextFileSync(`/proc/${pid}/task/${name}/schedstat`).split(" ")[0]);
    }
    return ns / 1000;
  });
}

/** One line: what each process has used since `before`, per operation. */
export function usedLine(
  processes: readonly Watched[],
  before: readonly number[],
  operations: number,
): string {
  const parts = usedUs(processes).map((us, i) =>
    `${processes[i]!.name} ${((us - before[i]!) / operations).toFixed(1)} us`
  );
  return `  processor time per operation: ${parts.join(", ")}`;
}
