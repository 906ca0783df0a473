import { PATIENCE_MS } from "./process.ts";

/** Looks again and again until `probe` returns something; rejects with its last error, or `what`, when patience ends. */
export async function eventually<T>(
  what: string,
  probe: () => Promise<T | undefined> | T | undefined,
  everyMs = 100,
  patienceMs = PATIENCE_MS,
): Promise<T> {
  const startedMs = performance.now();
  let last: unknown;
  while (performance.now() - startedMs < patienceMs) {
    try {
      const found = await probe();
      if (found !== undefined && found !== false) return found;
      last = undefined;
    } catch (error) {
      last = error;
    }
    await new Promise((resolve) => setTimeout(resolve, everyMs));
  }
  throw new Error(`not within ${patienceMs} ms: ${what}`, { cause: last });
}
