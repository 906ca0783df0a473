import { assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { program } from "../../commands/framework/program.ts";
import { OPENING, PROMPT } from "../../commands/shell/interpreter.ts";
import { KvError } from "../../core/platform/errors.ts";
import { bytes, FakeClient, kv, recordingIo } from "./commands_fake.ts";

Deno.test("the words of the opening and of the prompt", () => {
  assertEquals(
    OPENING,
    "This is a distributed key value system.\n" +
      "Supported operations include get, put, del, dump(only for debugging).\n",
  );
  assertEquals(PROMPT, "kv@ds$ ");
});

Deno.test("from a pipe: the answers alone", async () => {
  const { code, stdout, stderr } = await kv(
    new FakeClient(),
    ["shell", "--addr", ":9666"],
    "put a 1\nget a\n",
  );
  assertEquals([code, stdout, stderr], [0, "created\n1\n", ""]);
});

Deno.test("a session: every answer and the dump as they should stand", async () => {
  const lines = [
    "get a",
    "put a 1",
    "del a",
    "get a",
    "del a",
    "put b 2",
    "put c 3",
    "put e 4",
    "put b 2",
    "dump",
  ];
  const { stdout } = await kv(new FakeClient(), ["shell"], lines.join("\n"));
  assertEquals(
    stdout,
    `not found
created
deleted
not found
not found
created
created
created
updated
-------Data server 127.0.0.1:43309 with label 0-------
    key: c value: 3 label: 34
    key: e value: 4 label: 2

-------Data server 127.0.0.1:39755 with label 68-------
    key: b value: 2 label: 85

`,
  );
});

Deno.test("quoted keys and values, empty lines, line ends of other systems, no end of the last line", async () => {
  const input =
    'put "my key" \'a  value\'\r\n\r\n   \nget "my key"\r\nput lines "1\\n2"\nget lines\nput k ö\nget k';
  const { code, stdout } = await kv(new FakeClient(), ["shell"], input);
  assertEquals([code, stdout], [0, 'created\na  value\ncreated\n"1\\n2"\ncreated\nö\n']);
});

Deno.test("errors do not end it; the exit code is that of the first one", async () => {
  const client = new FakeClient();
  client.failing.set("x", new KvError("unavailable", "slot 7 is unavailable"));
  const result = await kv(client, ["shell"], "put x 1\nput a\nput b 2\n");
  assertEquals([result.code, result.stdout], [3, "created\n"]);
  assertEquals(result.stderr.split("\n")[0], "slot 7 is unavailable");
  assertStringIncludes(result.stderr, "the form is: put KEY VALUE");
});

for (
  const [line, message] of [
    ["gte a", 'unknown operation "gte"; did you mean "get"?'],
    ["put a", "the form is: put KEY VALUE"],
    ["put a b c", "quoted"],
    ["get", "the form is: get KEY"],
    ["dump all", "the form is: dump"],
    ['get "a', 'the closing " is missing'],
    ['get ""', "the key is empty"],
  ] as const
) {
  Deno.test(`wrong input: ${line}`, async () => {
    const { code, stdout, stderr } = await kv(new FakeClient(), ["shell"], line + "\n");
    assertEquals([code, stdout], [2, ""]);
    assertStringIncludes(stderr, message);
  });
}

Deno.test("exit leaves, help lists all operations", async () => {
  const client = new FakeClient();
  const { code, stdout } = await kv(client, ["shell"], "help\nexit\nput a 1\n");
  assertEquals([code, client.entries.size], [0, 0]);
  for (const form of ["get KEY", "put KEY VALUE", "del KEY", "dump", "help", "exit"]) {
    assertStringIncludes(stdout, `  ${form} `);
  }
});

Deno.test("a line that is not UTF-8 is refused with its number, the others are done, and a BOM is kept", async () => {
  const client = new FakeClient();
  const input = new Uint8Array([...bytes("put a 1\nput b "), 0xff, ...bytes("\nget a\nput c '\uFEFFx'\n")]);
  const { code, stdout, stderr } = await kv(client, ["shell"], input);
  assertEquals([code, stdout], [2, "created\n1\ncreated\n"]);
  assertStringIncludes(stderr, "line 2 is not UTF-8: nothing was done for it. Write other bytes as \\xHH");
  assertEquals((await client.get("c"))?.value, bytes("\uFEFFx"));
  const first = await kv(new FakeClient(), ["shell"], "\uFEFFput a 1\n");
  assertEquals([first.code, first.stdout], [2, ""]);
});

Deno.test("a line without end is not read without end", async () => {
  const io = { ...recordingIo(), stdin: () => endless() };
  const code = await program(["shell"], io, () => Promise.resolve(new FakeClient()));
  assertEquals(code, 2);
  assertMatch(io.stderr(), /line 1 has more than 8406016 bytes/);
});

async function* endless(): AsyncGenerator<Uint8Array> {
  for (let piece = 0; piece < 20; piece++) yield await Promise.resolve(new Uint8Array(1 << 20).fill(97));
}
