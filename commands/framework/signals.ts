import type { Io } from "./io.ts";

/** What a process usually reports that a signal has ended. */
const KILLED = 130;

/**
 * From now on the signals are ours: the promise resolves with the first one, for an orderly stop; a second one ends the
 * process at once.
 */
export function stopSignal<S extends Deno.Signal>(io: Io, signals: readonly S[]): Promise<S> {
  const first = Promise.withResolvers<S>();
  let count = 0;
  const onSignal = (signal: S) => {
    count += 1;
    if (count > 1) Deno.exit(KILLED);
    io.err("stopping; a second signal stops at once");
    first.resolve(signal);
  };
  for (const signal of signals) Deno.addSignalListener(signal, () => onSignal(signal));
  return first.promise;
}
