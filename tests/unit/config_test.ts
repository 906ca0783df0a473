import { assert, assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import { ConfigError, defaultConfig, flagName, loadConfig, parseConfig } from "../../core/platform/config.ts";
import { type Config, RELATIONS, SETTING_NAMES, SETTINGS } from "../../core/platform/config_table.ts";
import { configText, settingFlags, settingsHelp } from "../../core/platform/config_text.ts";
import { amount, type Setting } from "../../core/platform/setting.ts";
import { closest } from "../../core/platform/suggest.ts";

/** What is wrong with a file of this text and these flags, line by line. */
function problemsOf(text: string, flags: Record<string, unknown> = {}): readonly string[] {
  return assertThrows(() => parseConfig(text, "cfg.yaml", flags), ConfigError).problems;
}

Deno.test("cfg.yaml is what the table of settings generates (deno task config writes it anew)", () => {
  assertEquals(Deno.readTextFileSync(new URL("../../cfg.yaml", import.meta.url)), configText());
});

Deno.test("config: cfg.yaml as it stands gives the defaults, and so does no file at all", () => {
  assertEquals(parseConfig(configText(), "cfg.yaml"), defaultConfig());
  for (const name of SETTING_NAMES) assertEquals<unknown>(defaultConfig()[name], SETTINGS[name].default);
  for (const nothing of ["", "# only a comment\n", "---\n"]) {
    assertEquals(parseConfig(nothing, "f"), defaultConfig());
  }
});

Deno.test("config: every default is within its own bounds, and survives as a flag", () => {
  const flags = Object.fromEntries(settingFlags("up").map(({ flag, default: value }) => [flag, value]));
  assertEquals(Object.keys(flags).length, SETTING_NAMES.length);
  assertEquals(parseConfig("msn: 13\nlevels: 3\n", "cfg.yaml", flags), defaultConfig());
});

Deno.test("config: flags go before the file, the file before defaults", () => {
  const text = "msn: 13\nlevels: 3\nzk:\n  - zoo1:2181\n  - zoo2:2181\n";
  const config = parseConfig(text, "cfg.yaml", {
    msn: "17",
    "session-timeout-ms": "4000",
    addr: ":9666",
    root: undefined,
  });
  assertEquals([config.msn, config.levels, config.sessionTimeoutMs, config.root], [17, 3, 4000, "/kv"]);
  assertEquals(config.zk, ["zoo1:2181", "zoo2:2181"]);
  assertEquals(parseConfig(text, "cfg.yaml", { zk: "a:1, [::1]:2" }).zk, ["a:1", "[::1]:2"]);
});

Deno.test("config: types follow the table", () => {
  const config: Config = defaultConfig();
  const level: "debug" | "info" | "warn" | "error" = config.logLevel;
  const servers: readonly string[] = config.zk;
  const msn: number = config.msn;
  assertEquals([level, servers.length, msn], ["info", 3, 137]);
});

const WRONG: [text: string, problem: string][] = [
  ["\nmsm: 13\n", 'cfg.yaml:2: msm 13: there is no such setting; did you mean "msn"?'],
  [
    "session_timeout_ms: 9\n",
    'cfg.yaml:1: session_timeout_ms 9: there is no such setting; did you mean "sessionTimeoutMs"?',
  ],
  ["colour: red\n", 'cfg.yaml:1: colour "red": there is no such setting'],
  ["__proto__: 1\n", "cfg.yaml:1: __proto__ 1: there is no such setting"],
  ["levels: 2\nmsn: 135\n", "cfg.yaml:2: msn 135 is not a prime: the nearest are 131 and 137"],
  ["msn: 11\n", "cfg.yaml:1: msn 11 is below 13: give a whole number from 13 to 1021"],
  ["msn: 1031\n", "cfg.yaml:1: msn 1031 is above 1021: give a whole number from 13 to 1021"],
  [
    '# a\n\n"msn" : "137"\n',
    'cfg.yaml:3: msn "137" is not a whole number: give a whole number from 13 to 1021',
  ],
  ["msn: 13.5\n", "cfg.yaml:1: msn 13.5 is not a whole number"],
  ["msn: .nan\n", "cfg.yaml:1: msn NaN is not a whole number"],
  ["msn:\n", "cfg.yaml:1: msn null is not a whole number"],
  ["levels: 0\n", "cfg.yaml:1: levels 0 is below 1"],
  ["levels: 5\n", "cfg.yaml:1: levels 5 is above 4"],
  ["levels: [2]\n", "cfg.yaml:1: levels [2] is not a whole number"],
  ["valueBytesMax: 9999999999\n", "cfg.yaml:1: valueBytesMax 9999999999 is above 2097152 (2 MiB)"],
  [
    "pingPeriodMs: -1\n",
    "cfg.yaml:1: pingPeriodMs -1 is below 10: give a number of milliseconds from 10 to 60000",
  ],
  ["root: kv\n", 'cfg.yaml:1: root "kv" is not a path such as /kv'],
  ["root: /\n", 'cfg.yaml:1: root "/" is not a path'],
  ["root: /kv/\n", "is not a path"],
  ["root: /kv/../other\n", "is not a path"],
  ["root: 7\n", "cfg.yaml:1: root 7 is not a path"],
  ["logLevel: loud\n", 'cfg.yaml:1: logLevel "loud" is not one of debug, info, warn, error'],
  ["logLevel: 2020-01-01\n", "cfg.yaml:1: logLevel"],
  ["zk: 127.0.0.1:2181\n", 'cfg.yaml:1: zk "127.0.0.1:2181" is not a list of HOST:PORT'],
  ["zk: []\n", "cfg.yaml:1: zk [] is not a list of HOST:PORT"],
  [
    "msn: 13\nzk:\n  - a:2181\n  # two\n  - b\n",
    'cfg.yaml:5: zk ["a:2181","b"] has the entry "b", which is not HOST:PORT',
  ],
  ["zk:\n- a:2181\n- a:2181\n", "cfg.yaml:3: zk"],
  [
    "zk: [a:2181, a:2181]\n",
    'cfg.yaml:1: zk ["a:2181","a:2181"] has the entry "a:2181", which stands there twice',
  ],
  ["zk:\n  - a:65536\n", 'cfg.yaml:2: zk ["a:65536"] has the entry "a:65536"'],
  ["zk:\n  - a:0\n", "cfg.yaml:2: zk"],
  ["zk:\n  - 2181\n", "cfg.yaml:2: zk [2181] has the entry 2181"],
  ["msn: 13\n msn: 17\n", "cfg.yaml:2: not YAML: "],
  ["msn: 13\nlevels: 2\nmsn: 17\n", "cfg.yaml:3: not YAML: "],
  ["zk: [a\n", "not YAML: "],
  ["- msn\n", "cfg.yaml:1: not settings"],
  ["just words\n", 'cfg.yaml:1: not settings: write lines such as "msn: 137"'],
  ["{msn: 12}\n", "cfg.yaml: msn 12 is below 13"],
];

for (const [text, problem] of WRONG) {
  Deno.test(`config: refused ${JSON.stringify(text)}`, () => {
    const problems = problemsOf(text);
    assertEquals(problems.length, 1, problems.join("\n"));
    assertStringIncludes(problems[0]!, problem);
  });
}

Deno.test("config: a wrong flag is named as it was typed", () => {
  assertEquals(problemsOf("", { msn: "x" }), [
    '--msn: msn "x" is not a whole number: give a whole number from 13 to 1021',
  ]);
  assertStringIncludes(problemsOf("", { zk: "a:1,,b:2" })[0]!, '--zk: zk ["a:1","","b:2"] has the entry ""');
  assertStringIncludes(problemsOf("", { "session-timeout-ms": "3s" })[0]!, "--session-timeout-ms: ");
  assertStringIncludes(problemsOf("", { "log-level": ["info", "warn"] })[0]!, "--log-level: ");
});

Deno.test("config: a good flag makes up for nothing wrong elsewhere in the file, and all is told at once", () => {
  const problems = problemsOf("msn: 12\nlevles: 2\nlevels: 9\n", { root: "kv" });
  assertEquals(problems.map((line) => line.split(" ")[0]), [
    "cfg.yaml:2:",
    "--root:",
    "cfg.yaml:1:",
    "cfg.yaml:3:",
  ]);
});

Deno.test("config: a broken relation names place, values, bound and the way out", () => {
  assertEquals(problemsOf("levels: 2\nsegmentBytes: 65536\n"), [
    "cfg.yaml:2: segmentBytes 65536 is below 1056768, which is keyBytesMax + valueBytesMax + 4096 (keyBytesMax 4096 by " +
    "default, valueBytesMax 1048576 by default), because a record must fit into one file of the log: raise " +
    "segmentBytes to 1056768 or more, or lower keyBytesMax or valueBytesMax",
  ]);
  assertStringIncludes(
    problemsOf("", { "ping-period-ms": "4000" })[0]!,
    "--ping-period-ms: timeoutMs 5000 is below 8000",
  );
});

Deno.test("config: every relation holds at its bound and is refused one below it", () => {
  const widest: Record<string, unknown> = {
    sessionTimeoutMs: 4000,
    registerLockMs: 600_000,
    reserveBytes: 2 ** 40,
  };
  for (const { larger, smaller, least } of RELATIONS) {
    const base = { ...widest };
    delete base[larger];
    const file = Object.entries(base).map(([name, value]) => `${name}: ${value}\n`).join("");
    const bound = least(
      parseConfig(file + `${larger}: ${widest[larger] ?? SETTINGS[larger].default}\n`, "cfg.yaml"),
    );
    // The bound itself may lie outside what other relations allow; then only those are named.
    const at = (value: number) => {
      try {
        parseConfig(file, "cfg.yaml", { [flagName(larger)]: value });
        return [];
      } catch (error) {
        assert(error instanceof ConfigError, String(error));
        return error.problems.filter((line) =>
          line.includes(`${larger} ${value} is below`) && line.includes(smaller[0]!)
        );
      }
    };
    assertEquals(at(bound).length, 0, `${larger} ${bound}`);
    assertEquals(at(bound - 1).length, 1, `${larger} ${bound - 1}`);
  }
});

Deno.test("config: a named file must exist; without a name there need be none", async () => {
  const folder = await Deno.makeTempDir();
  try {
    const file = `${folder}/my.yaml`;
    assertThrows(() => loadConfig(file), ConfigError, `${file}: cannot be read`);
    Deno.writeTextFileSync(file, "msn: 13\n");
    assertEquals(loadConfig(file, { levels: "1" }).msn, 13);
    assertThrows(() => loadConfig(folder), ConfigError, "cannot be read");
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("config: each command has its own settings as flags, and help tells what each takes", () => {
  const flags = (command: string) => settingFlags(command).map(({ flag }) => flag);
  assert(flags("master").includes("msn") && !flags("master").includes("segment-bytes"));
  assert(flags("data").includes("segment-bytes") && !flags("get").includes("zk"));
  assertEquals([flags("help"), settingsHelp("help")], [[], ""]);
  assertStringIncludes(settingsHelp("master"), "  --session-timeout-ms VALUE\n      After this long");
  assertStringIncludes(
    settingsHelp("master").replaceAll(/\s+/g, " "),
    "Whole number from 13 to 1021. Default 137.",
  );
});

Deno.test("config: the commands that have settings exist", () => {
  const named = new Set(SETTING_NAMES.flatMap((name) => SETTINGS[name].commands));
  const files = [...Deno.readDirSync(new URL("../../commands/", import.meta.url))].map(({ name }) => name);
  assertEquals([...named].filter((command) => !files.includes(`${command}.ts`)), []);
});

Deno.test("config: every setting is described, has a plain name, and no line is too long", () => {
  for (const name of SETTING_NAMES) {
    const { about, form, commands }: Setting<unknown> = SETTINGS[name];
    assert(/^[A-Z].*\.$/.test(about) && form.length > 0 && commands.includes("up"), name);
    assert(/^[a-z][A-Za-z]*$/.test(name), name);
  }
  for (const line of configText().split("\n")) assert(line.length <= 100, line);
});

Deno.test("config: round sizes are shown in the larger unit too", () => {
  assertEquals(["bytes", "ms"].map((unit) => amount(3 << 20, unit as "bytes" | "ms")), [
    "3145728 (3 MiB)",
    "3145728",
  ]);
  assertEquals(amount(1025, "bytes"), "1025");
});

Deno.test("suggest: near names only", () => {
  const known = ["put", "get", "dump", "status", "shell"];
  const expected = {
    pt: "put",
    Dump: "dump",
    statsu: "status",
    shel: "shell",
    "": undefined,
    frobnicate: undefined,
    xyz: undefined,
  };
  for (const [typed, name] of Object.entries(expected)) assertEquals(closest(typed, known), name, typed);
});
