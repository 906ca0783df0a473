/**
 * `deno task stories [--update] [--only TEXT]`: plays the stories and compares what they tell with the texts beside this
 * file. `--update` writes the texts anew, to be read as a diff. Exit code 1: one differs.
 */

import { parseArgs } from "@std/cli";
import { STORIES } from "./scripts.ts";
import { tell } from "./stage.ts";
import { differenceOf, fileOf } from "./texts.ts";

async function main(): Promise<number> {
  const flags = parseArgs(Deno.args, { string: ["only"], boolean: ["update"] });
  let bad = 0;
  for (const story of STORIES.filter(({ name }) => name.includes(String(flags.only ?? "")))) {
    try {
      const text = await tell(story);
      const difference = differenceOf(story, text);
      if (difference !== undefined && flags.update) Deno.writeTextFileSync(fileOf(story), text);
      else if (difference !== undefined) bad++;
      console.log(
        `${story.name}: ${difference === undefined ? "as expected" : flags.update ? "updated" : difference}`,
      );
    } catch (error) {
      bad++;
      console.log(`${story.name}: ${(error as Error).message}`);
    }
  }
  return bad > 0 ? 1 : 0;
}

Deno.exit(await main());
