/** The program changes, and the faults that are planted in it must keep up. `deno task sim:mutants` tries them. */

import { assertEquals } from "@std/assert";
import { PLANTED } from "../sim/planted.ts";

const ROOT = new URL("../../", import.meta.url);

Deno.test("planted faults: the place of each is there, once", () => {
  const gone = PLANTED.flatMap(({ name, also = [], ...edit }) =>
    [edit, ...also].flatMap(({ file, find }) => {
      const places = Deno.readTextFileSync(new URL(file, ROOT)).split(find).length - 1;
      return places === 1 ? [] : [`${name}: ${places} times in ${file}`];
    })
  );
  assertEquals(gone, []);
});
