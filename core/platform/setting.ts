/** The kinds of settings: how a value is read from YAML or from a flag, checked, and written. */

/** What every setting has, whatever its kind. */
export interface Described {
  /** One or two sentences for `cfg.yaml` and for help. */
  readonly about: string;
  readonly section: string;
  /** Commands that use it and so have it as a flag. */
  readonly commands: readonly string[];
}

/** The read value, or why it cannot be: the rest of a sentence that begins with name and value. */
export type Read<T> = { readonly value: T } | {
  readonly problem: string;
  /** The list's entry (from 0) that it is about. */
  readonly entry?: number;
};

export interface Setting<T> extends Described {
  readonly default: T;
  /** What can be chosen, for people: "whole number from 1 to 4". */
  readonly form: string;
  /** Takes what YAML gave: a number, text, a list ... */
  read(raw: unknown): Read<T>;
}

export type Unit = "ms" | "bytes" | "";

const UNITS: Readonly<Record<Unit, string>> = {
  ms: "number of milliseconds",
  bytes: "number of bytes",
  "": "whole number",
};

/** A whole number of `unit` from `min` to `max`; `rule` may forbid some of them, naming the way out. */
export function integer(
  about: Described,
  range: {
    default: number;
    min: number;
    max: number;
    unit?: Unit;
    rule?: (value: number) => string | undefined;
  },
): Setting<number> {
  const { min, max, unit = "", rule } = range;
  const form = `${UNITS[unit]} from ${amount(min, unit)} to ${amount(max, unit)}`;
  const read = (value: unknown): Read<number> => {
    if (typeof value !== "number" || !Number.isSafeInteger(value)) {
      return { problem: `is not a whole number: give a ${form}` };
    }
    if (value < min) return { problem: `is below ${amount(min, unit)}: give a ${form}` };
    if (value > max) return { problem: `is above ${amount(max, unit)}: give a ${form}` };
    const forbidden = rule?.(value);
    return forbidden === undefined ? { value } : { problem: forbidden };
  };
  return { ...about, default: range.default, form, read };
}

/** Text that matches `pattern`; `form` says what that is. */
export function text(
  about: Described,
  rule: { default: string; pattern: RegExp; form: string },
): Setting<string> {
  const { pattern, form } = rule;
  const read = (raw: unknown): Read<string> =>
    typeof raw === "string" && pattern.test(raw) ? { value: raw } : { problem: `is not a ${form}` };
  return { ...about, default: rule.default, form, read };
}

/** One of `choices`. */
export function choice<C extends string>(
  about: Described,
  rule: { default: C; choices: readonly C[] },
): Setting<C> {
  const form = `one of ${rule.choices.join(", ")}`;
  const read = (raw: unknown): Read<C> => {
    const found = rule.choices.find((name) => name === raw);
    return found === undefined ? { problem: `is not ${form}` } : { value: found };
  };
  return { ...about, default: rule.default, form, read };
}

/** A list of distinct entries that are each `accepted`; as a flag, with commas between them. Never empty. */
export function list(
  about: Described,
  rule: { default: readonly string[]; accepts: (entry: string) => boolean; form: string },
): Setting<readonly string[]> {
  const form = `list of ${rule.form}`;
  const read = (raw: unknown): Read<readonly string[]> => {
    if (!Array.isArray(raw) || raw.length === 0) {
      return { problem: `is not a ${form}: write each on a line of its own, after a dash` };
    }
    for (const [entry, value] of raw.entries()) {
      const shown = `has the entry ${JSON.stringify(value)}, which`;
      if (typeof value !== "string" || !rule.accepts(value)) {
        return { problem: `${shown} is not ${rule.form}`, entry };
      }
      if (raw.indexOf(value) !== entry) return { problem: `${shown} stands there twice: remove one`, entry };
    }
    return { value: raw };
  };
  return { ...about, default: rule.default, form, read };
}

/** `1048576 (1 MiB)` for round sizes, the plain number otherwise. */
export function amount(value: number, unit: Unit): string {
  if (unit !== "bytes") return String(value);
  for (
    const [name, size] of [["TiB", 2 ** 40], ["GiB", 2 ** 30], ["MiB", 2 ** 20], ["KiB", 2 ** 10]] as const
  ) {
    if (value >= size && value % size === 0) return `${value} (${value / size} ${name})`;
  }
  return String(value);
}
