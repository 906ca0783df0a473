import { assertEquals } from "@std/assert";
import { oneLine } from "../../commands/print/bytes.ts";
import { jsonField } from "../../core/platform/json_bytes.ts";
import { inFileOrder, nodeText } from "../../commands/print/dump.ts";
import { duration } from "../../commands/print/units.ts";
import { splitWords } from "../../commands/shell/words.ts";
import { bytes, node } from "./commands_fake.ts";

Deno.test("plain text stands on a line as it is", () => {
  for (const text of ["", "a", "two words", "größe 漢字 🙂", '{"a": 1}', "back\\slash", "\ufefftext"]) {
    assertEquals(oneLine(bytes(text)), text);
  }
});

Deno.test("text of several lines, and bytes that are no text, are quoted so that the shell reads them back", () => {
  assertEquals(oneLine(bytes('a\n"b"\t\\')), '"a\\n\\"b\\"\\t\\\\"');
  assertEquals(oneLine(bytes("\x1b[31m")), '"\\x1b[31m"');
  assertEquals(oneLine(new Uint8Array([0xff, 0x41, 0])), '"\\xffA\\x00"');
  const cases = ["a\nb", "\x7f\x85\u2028", 'q"\r\n\\', "\x00"].map(bytes);
  for (
    const value of [
      ...cases,
      new Uint8Array([255, 254, 34, 92, 10]),
      new Uint8Array(256).map((_, i) => i),
    ]
  ) {
    assertEquals(splitWords(oneLine(value)), [value]);
  }
});

Deno.test("JSON has bytes as text where they are UTF-8, else in base 64", () => {
  assertEquals(jsonField("value", bytes("a\nö")), { value: "a\nö" });
  assertEquals(jsonField("value", new Uint8Array([255])), { valueBase64: "/w==" });
});

Deno.test("a dumped node has its keys in the order of its files, then of their bytes", () => {
  const entry = (key: string, slot: number) => ({ key: bytes(key), value: bytes("1"), version: 1, slot });
  const entries = [entry("c", 34), entry("ds", 105), entry("e", 2), entry("os", 134), entry("ca", 130)];
  const sorted = inFileOrder(entries, 2);
  assertEquals(sorted.map(({ slot }) => slot), [105, 130, 134, 34, 2]);
  assertEquals(inFileOrder([...entries].reverse(), 2), sorted);
  assertEquals(
    nodeText({ node: node("127.0.0.1:1", 68), entries: [entry("two\nlines", 7)] }),
    '-------Data server 127.0.0.1:1 with label 68-------\n    key: "two\\nlines" value: 1 label: 7\n\n',
  );
});

Deno.test("durations are in the largest unit that fits", () => {
  assertEquals([0, 999, 1000, 119_999, 7_200_000, 90_000_000].map(duration), [
    "0 ms",
    "999 ms",
    "1 s",
    "1 min",
    "2 h",
    "1 d",
  ]);
});
