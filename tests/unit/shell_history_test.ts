import { assertEquals } from "@std/assert";
import { History, historyPath } from "../../commands/shell/history.ts";

Deno.test("where the history is kept", () => {
  const of = (env: Record<string, string>) => historyPath((name) => env[name]);
  assertEquals(of({ XDG_STATE_HOME: "/s", HOME: "/h" }), "/s/kv/history");
  assertEquals(of({ XDG_STATE_HOME: "", HOME: "/h" }), "/h/.local/state/kv/history");
  assertEquals(of({}), undefined);
});

Deno.test("lines are there in the next run, the oldest first, and readable for the user alone", () => {
  const folder = Deno.makeTempDirSync();
  try {
    const path = `${folder}/deep/kv/history`;
    const history = new History(path);
    assertEquals(history.load(), []);
    for (const line of ["put a 1", "  ", "", "get a"]) history.append(line);
    assertEquals(new History(path).load(), ["put a 1", "get a"]);
    assertEquals(Deno.statSync(path).mode! & 0o777, 0o600);
  } finally {
    Deno.removeSync(folder, { recursive: true });
  }
});

Deno.test("the file does not grow for ever", () => {
  const folder = Deno.makeTempDirSync();
  try {
    const path = `${folder}/history`;
    Deno.writeTextFileSync(path, Array.from({ length: 2001 }, (_, i) => `get ${i}\n`).join(""));
    const kept = new History(path).load();
    assertEquals([kept.length, kept[0], kept.at(-1)], [1000, "get 1001", "get 2000"]);
    assertEquals(Deno.readTextFileSync(path).split("\n").length, 1001);
  } finally {
    Deno.removeSync(folder, { recursive: true });
  }
});

Deno.test("a history that cannot be written is no error", () => {
  const file = Deno.makeTempFileSync();
  try {
    for (const history of [new History(`${file}/x/history`), new History(undefined)]) {
      history.append("get a");
      assertEquals(history.load(), []);
    }
  } finally {
    Deno.removeSync(file);
  }
});
