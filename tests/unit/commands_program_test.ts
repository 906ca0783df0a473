import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { COMMANDS } from "../../commands/framework/registry.ts";
import { parseCommandLine } from "../../commands/framework/parse.ts";
import { settingFlags } from "../../core/platform/config_text.ts";
import { FakeClient, kv } from "./commands_fake.ts";

const client = new FakeClient();

Deno.test("--version prints name and version", async () => {
  const { code, stdout, stderr } = await kv(client, ["--version"]);
  assertEquals([code, stderr], [0, ""]);
  assertMatch(stdout, /^kv \d+\.\d+\.\d+\n$/);
});

Deno.test("the overview names every command with an example", async () => {
  const { code, stdout } = await kv(client, ["help"]);
  assertEquals(code, 0);
  for (const [name, { summary }] of COMMANDS) {
    assertStringIncludes(stdout, summary);
    assertMatch(stdout, new RegExp(`\\$ .*\\bkv ${name}\\b`));
  }
  assertEquals((await kv(client, ["--help"])).stdout, stdout);
});

Deno.test("nothing typed: the overview on standard error, and exit code 2", async () => {
  const { code, stdout, stderr } = await kv(client, []);
  assertEquals([code, stdout], [2, ""]);
  assertStringIncludes(stderr, "Usage: kv COMMAND");
});

for (const [name, { load }] of COMMANDS) {
  Deno.test(`help of ${name} tells usage, flags and examples, and every example can be typed`, async () => {
    const { command } = await load();
    const { code, stdout } = await kv(client, ["help", name]);
    assertEquals(code, 0);
    assertEquals((await kv(client, [name, "--help"])).stdout, stdout);
    assertStringIncludes(stdout, `Usage: kv ${command.usage}\n`);
    assert(command.examples.length > 0);
    const settings = settingFlags(name).map(({ flag }) => flag);
    for (const flag of [...command.flags.map((flag) => flag.name), ...settings]) {
      assertStringIncludes(stdout, `  --${flag}`);
    }
    for (const example of command.examples) {
      assertStringIncludes(stdout, `  $ ${example}\n`);
      const [, words] = /\bkv (.*?)( [<>] .*)?$/.exec(example)!;
      const [first, ...rest] = words!.split(" ");
      assertEquals(first, name);
      parseCommandLine(rest, command, settings);
    }
  });
}

Deno.test("an unknown command: the nearest name and exit code 2", async () => {
  const { code, stdout, stderr } = await kv(client, ["gte", "a"]);
  assertEquals([code, stdout], [2, ""]);
  assertStringIncludes(stderr, 'unknown command "gte"; did you mean "get"?');
  assertStringIncludes((await kv(client, ["frobnicate"])).stderr, 'unknown command "frobnicate"\n');
  assertEquals((await kv(client, ["help", "putt"])).code, 2);
});

Deno.test("an unknown flag: the nearest name and exit code 2, nothing done", async () => {
  const fresh = new FakeClient();
  for (const word of ["--adr=:9666", "-addr=:9666", "--addrs"]) {
    const { code, stderr } = await kv(fresh, ["put", word, "a", "1"]);
    assertEquals(code, 2);
    assertStringIncludes(stderr, `unknown flag ${word.split("=")[0]}; did you mean --addr?`);
    assertStringIncludes(stderr, "kv help put");
  }
  assertEquals(fresh.entries.size, 0);
});

Deno.test("a negative value is told the way round", async () => {
  const fresh = new FakeClient();
  const { code, stderr } = await kv(fresh, ["put", "t", "-5"]);
  assertEquals(code, 2);
  assertStringIncludes(stderr, "goes after --");
  assertEquals((await kv(fresh, ["put", "--", "t", "-5"])).stdout, "created\n");
  assertEquals((await kv(fresh, ["get", "t"])).stdout, "-5\n");
});

for (
  const [words, message] of [
    [["get"], "too few arguments: the form is kv get KEY"],
    [["put", "a", "1", "2"], 'too many arguments, from "2" on'],
    [["get", "a", "--output", "jsno"], "--output jsno is none of simple, json; did you mean json?"],
    [["put", "a", "1", "--if-version", "x"], "--if-version x is not a whole number from 1 on"],
    [["put", "a", "1", "--if-version", "0"], "--if-version 0 is not a whole number from 1 on"],
    [["up", "--masters", "101"], "--masters 101 is not a whole number from 1 to 100"],
    [["put", "a", "1", "--addr"], "--addr needs a value"],
    [["put", "a", "1", "--if-absent", "--if-version", "3"], "exclude each other"],
    [["put", "a", "1", "--if-absent=no"], "--if-absent=no is neither --if-absent=true nor --if-absent=false"],
    [["get", "a", "--raw="], "say --raw, or leave it out"],
    [["get", "a", "--no-addr=:1"], "unknown flag --no-addr"],
    [["admin", "drain", "a", "--no-wait=1"], "--no-wait=1 is neither --no-wait=true nor --no-wait=false"],
    [["data"], "--data is missing"],
    [["bench", "sequentail"], 'did you mean "sequential"?'],
    [["get", "a", "--timeout-ms", "soon"], "--timeout-ms: timeoutMs"],
  ] as const
) {
  Deno.test(`kv ${words.join(" ")}: ${message}`, async () => {
    const { code, stdout, stderr } = await kv(client, [...words]);
    assertEquals([code, stdout], [2, ""]);
    assertStringIncludes(stderr, message);
  });
}

Deno.test("a switch takes no word that follows, and false leaves it off", async () => {
  const fresh = new FakeClient();
  assertEquals((await kv(fresh, ["put", "--if-absent", "true", "1"])).stdout, "created\n");
  assertEquals((await kv(fresh, ["put", "true", "2", "--if-absent"])).code, 1);
  assertEquals((await kv(fresh, ["put", "true", "3", "--if-absent=false"])).stdout, "updated\n");
  assertEquals((await kv(fresh, ["get", "--raw=true", "true"])).stdout, "3");
  assertEquals((await kv(fresh, ["put", "--", "--raw", "--if-absent=no"])).stdout, "created\n");
});
