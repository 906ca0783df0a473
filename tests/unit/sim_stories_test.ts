import { assertEquals } from "@std/assert";
import { REPLICATION } from "../sim/plan.ts";
import { STORIES } from "../sim/stories/scripts.ts";
import { tell } from "../sim/stories/stage.ts";
import { differenceOf } from "../sim/stories/texts.ts";

for (const story of STORIES) {
  Deno.test({
    name: `story: ${story.name} goes as its text says`,
    ignore: !REPLICATION,
    fn: async () => assertEquals(differenceOf(story, await tell(story)), undefined),
  });
}

Deno.test("stories: the same twice is the same text", async () => {
  const story = { ...STORIES.at(-1)!, standbys: 0 };
  assertEquals(await tell(story), await tell(story));
});
