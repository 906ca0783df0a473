import { UsageError } from "./command.ts";

/**
 * Throws {@link UsageError} when one of the flags `names` was typed: they mean nothing here, and whoever types one expects
 * something of it. `why` makes the message of the flag with its dashes.
 */
export function refuseTyped(
  typed: Readonly<Record<string, unknown>>,
  names: Iterable<string>,
  why: (flag: string) => string,
): void {
  for (const name of names) {
    // A switch that was not typed is false.
    if (typed[name] !== undefined && typed[name] !== false) throw new UsageError(why(`--${name}`));
  }
}
