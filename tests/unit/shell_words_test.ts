import { assertEquals, assertThrows } from "@std/assert";
import { UsageError } from "../../commands/framework/command.ts";
import { splitWords } from "../../commands/shell/words.ts";
import { bytes } from "./commands_fake.ts";

for (
  const [line, words] of [
    ["", []],
    ["   \t ", []],
    ["put a 1", ["put", "a", "1"]],
    ["  put\ta   1  ", ["put", "a", "1"]],
    ["put \"my key\" 'a value'", ["put", "my key", "a value"]],
    ["put \"\" ''", ["put", "", ""]],
    ['"a\\nb\\t\\"\\\\\\\'"', ["a\nb\t\"\\'"]],
    ["'a\\nb'", ["a\\nb"]],
    ["it's a\\b x\"y", ["it's", "a\\b", 'x"y']],
    ["größe 🙂 '漢 字'", ["größe", "🙂", "漢 字"]],
    ["put \uFEFFa 'b'\u3000c\uFEFF", ["put", "\uFEFFa", "b", "c\uFEFF"]],
  ] as const
) {
  Deno.test(`words of ${JSON.stringify(line)}`, () => assertEquals(splitWords(line), words.map(bytes)));
}

Deno.test("escapes make any bytes", () => {
  assertEquals(splitWords('"\\x00\\xfFz"'), [new Uint8Array([0, 255, 122])]);
});

for (
  const [line, message] of [
    ['put "a', 'the closing " is missing'],
    ["put 'a\"", "the closing ' is missing"],
    ['put "a"b', 'there must be a blank after the closing quote of "a"'],
    ['put "\\q"', "unknown escape \\q"],
    ['put "\\x1"', "unknown escape \\x"],
    ['put "a\\', "unknown escape \\"],
  ] as const
) {
  Deno.test(`${line} is refused: ${message}`, () => {
    assertThrows(() => splitWords(line), UsageError, message);
  });
}
