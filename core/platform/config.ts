/** Reading the configuration: flags before `cfg.yaml` before defaults, every value and every relation checked. */

import { parse } from "@std/yaml";
import { type Config, RELATIONS, SETTING_NAMES, type SettingName, SETTINGS } from "./config_table.ts";
import { KvError, messageOf } from "./errors.ts";
import type { Setting } from "./setting.ts";
import { didYouMean } from "./suggest.ts";
import { lineOfEntry, lineOfKey, lineOfMessage } from "./yaml_place.ts";

export type { Config, SettingName } from "./config_table.ts";

/** The configuration cannot be used; the message has one line per problem. */
export class ConfigError extends KvError {
  override name = "ConfigError";
  constructor(readonly problems: readonly string[], options?: ErrorOptions) {
    super("invalid", problems.join("\n"), {}, options);
  }
}

/** Parsed flags by their name without dashes ("session-timeout-ms"); those that are no settings are left alone. */
export type Flags = Readonly<Record<string, unknown>>;

/** Read from the working folder when no other file is named and this one is there. */
export const DEFAULT_FILE = "cfg.yaml";

/** A value as it was given. */
interface Given {
  readonly raw: unknown;
  /** For messages: "--msn" or "cfg.yaml:12". */
  readonly place: string;
  /** The place of entry `index`, where the value is a list. */
  readonly placeOfEntry?: (index: number) => string;
}

type Layer = Map<SettingName, Given>;

/**
 * The configuration of a process. `path` names the file, which must then exist. Throws {@link ConfigError}, naming
 * file and line or flag, setting, value, bound and way out of everything that is wrong.
 */
export function loadConfig(path: string | undefined, flags: Flags = {}): Config {
  const file = path ?? DEFAULT_FILE;
  let text: string;
  try {
    text = Deno.readTextFileSync(file);
  } catch (error) {
    if (path !== undefined || !(error instanceof Deno.errors.NotFound)) {
      throw new ConfigError([`${file}: cannot be read: ${messageOf(error)}`], { cause: error });
    }
    text = "";
  }
  return parseConfig(text, file, flags);
}

/** As {@link loadConfig}, with the file's text given; `file` is its name in messages. */
export function parseConfig(text: string, file: string, flags: Flags = {}): Config {
  const problems: string[] = [];
  const given: Layer = new Map([...fromFile(text, file, problems), ...fromFlags(flags)]);
  const values: Partial<Record<SettingName, unknown>> = {};
  for (const name of SETTING_NAMES) {
    const setting: Setting<unknown> = SETTINGS[name];
    const found = given.get(name);
    const read = found === undefined ? { value: setting.default } : setting.read(found.raw);
    if ("value" in read) {
      values[name] = read.value;
    } else {
      const { raw, place, placeOfEntry } = found!;
      const precise = read.entry === undefined ? place : placeOfEntry?.(read.entry) ?? place;
      problems.push(`${precise}: ${name} ${show(raw)} ${read.problem}`);
    }
  }
  if (problems.length > 0) throw new ConfigError(problems);
  const config = values as Config;
  const broken = brokenRelations(config, given);
  if (broken.length > 0) throw new ConfigError(broken);
  return config;
}

/** The configuration without a file and without flags. */
export function defaultConfig(): Config {
  return parseConfig("", DEFAULT_FILE);
}

/** `session-timeout-ms` for `sessionTimeoutMs`. */
export function flagName(name: string): string {
  return name.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
}

function fromFlags(flags: Flags): Layer {
  const layer: Layer = new Map();
  for (const name of SETTING_NAMES) {
    const flag = flagName(name);
    if (!Object.hasOwn(flags, flag) || flags[flag] === undefined) continue;
    layer.set(name, { raw: untyped(flags[flag], SETTINGS[name].default), place: `--${flag}` });
  }
  return layer;
}

/** A flag is text: made a number or a list where the setting, as its default shows, is one. */
function untyped(raw: unknown, example: unknown): unknown {
  if (typeof raw !== "string") return raw;
  if (typeof example === "number" && /^[+-]?\d+$/.test(raw)) return Number(raw);
  return Array.isArray(example) ? raw.split(",").map((entry) => entry.trim()) : raw;
}

function fromFile(text: string, file: string, problems: string[]): Layer {
  const layer: Layer = new Map();
  let parsed: unknown;
  try {
    parsed = parse(text) ?? {};
  } catch (error) {
    const message = messageOf(error).trim();
    problems.push(`${placeAt(file, lineOfMessage(message))}: not YAML: ${message}`);
    return layer;
  }
  if (typeof parsed !== "object" || Array.isArray(parsed)) {
    problems.push(`${file}:1: not settings: write lines such as "msn: ${SETTINGS.msn.default}"`);
    return layer;
  }
  for (const [key, raw] of Object.entries(parsed as Record<string, unknown>)) {
    const line = lineOfKey(text, key);
    const place = placeAt(file, line);
    const name = SETTING_NAMES.find((known) => known === key);
    if (name === undefined) {
      problems.push(
        `${place}: ${key} ${show(raw)}: there is no such setting${didYouMean(key, SETTING_NAMES)}`,
      );
    } else {
      const placeOfEntry = (i: number) => placeAt(file, line && lineOfEntry(text, line, i));
      layer.set(name, { raw, place, placeOfEntry });
    }
  }
  return layer;
}

function placeAt(file: string, line: number | undefined): string {
  return line === undefined ? file : `${file}:${line}`;
}

function brokenRelations(config: Config, given: Layer): string[] {
  return RELATIONS.flatMap(({ larger, smaller, formula, least, why }) => {
    const bound = least(config);
    if (Number(config[larger]) >= bound) return [];
    const told = [larger, ...smaller].find((name) => given.has(name));
    const place = told === undefined ? "defaults" : given.get(told)!.place;
    const terms = smaller.map((name) =>
      `${name} ${show(config[name])}${given.has(name) ? "" : " by default"}`
    );
    return [
      `${place}: ${larger} ${show(config[larger])} is below ${bound}, which is ${formula} (${
        terms.join(", ")
      }), ` +
      `${why}: raise ${larger} to ${bound} or more, or lower ${smaller.join(" or ")}`,
    ];
  });
}

function show(value: unknown): string {
  return typeof value === "number" || value instanceof Date
    ? String(value)
    : JSON.stringify(value) ?? String(value);
}
