import type { Io } from "./io.ts";

/** What a process usually reports that a signal has ended. */
const KILLED = 130;

/**
 * From now on the signals are ours: the promise resolves at the first one, for an orderly stop; a second one ends the
 * process at once.
 */
export function stopSignal(io: Io, signals: readonly Deno.Signal[] = ["SIGINT", "SIGTERM"]): Promise<void> {
  const first = Promise.withResolvers<void>();
  let count = 0;
  const onSignal = () => {
    count += 1;
    if (count > 1) Deno.exit(KILLED);
    io.err("stopping; a second signal stops at once");
    first.resolve();
  };
  for (const signal of signals) Deno.addSignalListener(signal, onSignal);
  return first.promise;
}
