import type { Story } from "./stage.ts";

/** Where the expected text of a story is. */
export function fileOf({ name }: Story): URL {
  return new URL(`${name}.txt`, import.meta.url);
}

/** The first line in which the text differs from the expected one; undefined: there is none. */
export function differenceOf(story: Story, text: string): string | undefined {
  let expected: string;
  try {
    expected = Deno.readTextFileSync(fileOf(story));
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
    return "there is no expected text; write it with --update";
  }
  const [is, wanted] = [text.split("\n"), expected.split("\n")];
  const at = is.findIndex((line, i) => line !== wanted[i]);
  if (at < 0 && is.length === wanted.length) return undefined;
  const line = at < 0 ? is.length : at;
  return `line ${line + 1} is\n  ${is[line] ?? "(missing)"}\nand was to be\n  ${wanted[line] ?? "(missing)"}`;
}
