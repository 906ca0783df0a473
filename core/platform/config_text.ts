/** What people read about settings: the commented `cfg.yaml`, and the settings' part of a command's help. */

import { flagName } from "./config.ts";
import { SETTING_NAMES, SETTINGS } from "./config_table.ts";
import type { Setting } from "./setting.ts";

const WIDTH = 100;

/** A setting as a command's flag. */
export interface SettingFlag {
  /** Without the two dashes. */
  readonly flag: string;
  readonly about: string;
  /** What may be given. */
  readonly form: string;
  readonly default: string;
}

/** The settings that `command` has as flags, each with a value. */
export function settingFlags(command: string): SettingFlag[] {
  return SETTING_NAMES.filter((name) => SETTINGS[name].commands.includes(command)).map((name) => {
    const { about, form, default: value } = SETTINGS[name] as Setting<unknown>;
    return {
      flag: flagName(name),
      about,
      form,
      default: Array.isArray(value) ? value.join(",") : String(value),
    };
  });
}

/** Help on the settings of `command`, a few lines each; empty when it has none. */
export function settingsHelp(command: string): string {
  return settingFlags(command).map(({ flag, about, form, default: value }) =>
    [`  --${flag} VALUE`, ...wrap(`${about} ${sentence(form)} Default ${value}.`, WIDTH - 6, "      ")].join(
      "\n",
    ) + "\n"
  ).join("");
}

/** The text of `cfg.yaml`: every setting with its comment and its default. */
export function configText(): string {
  const lines = wrap(
    "Configuration of kv. Every setting stands here with its default; leave out what shall stay so. A flag of the " +
      "same name (sessionTimeoutMs: --session-timeout-ms) goes before what is written here.",
    WIDTH - 2,
    "# ",
  );
  let section = "";
  for (const name of SETTING_NAMES) {
    const setting: Setting<unknown> = SETTINGS[name];
    if (setting.section !== section) {
      section = setting.section;
      lines.push("", `# --- ${section} ---`);
    }
    const facts = `${sentence(setting.form)} Default ${shown(setting.default)}. For ${
      setting.commands.join(", ")
    }.`;
    lines.push("", ...wrap(setting.about, WIDTH - 2, "# "), ...wrap(facts, WIDTH - 2, "# "));
    lines.push(...yaml(name, setting.default));
  }
  return lines.join("\n") + "\n";
}

function yaml(name: string, value: unknown): string[] {
  return Array.isArray(value) ? [`${name}:`, ...value.map((entry) => `  - ${entry}`)] : [`${name}: ${value}`];
}

/** As a flag takes it. */
function shown(value: unknown): string {
  return Array.isArray(value) ? value.join(",") : String(value);
}

function sentence(form: string): string {
  return `${form[0]!.toUpperCase()}${form.slice(1)}.`;
}

/** Breaks `text` at blanks into lines of at most `width` characters, each after `prefix`. */
function wrap(text: string, width: number, prefix: string): string[] {
  const lines: string[] = [];
  let line = "";
  for (const word of text.split(" ")) {
    if (line !== "" && line.length + 1 + word.length > width) {
      lines.push(prefix + line);
      line = word;
    } else {
      line = line === "" ? word : `${line} ${word}`;
    }
  }
  lines.push(prefix + line);
  return lines;
}
