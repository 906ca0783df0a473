/** Holds the lines of the house: layers, sizes, ports, types, folders. Each rule is also shown to fail. */

import { assertEquals } from "@std/assert";
import {
  ALLOWED,
  anyTypes,
  FILE_LINES_MAX,
  forbiddenImports,
  FUNCTION_LINES_MAX,
  importCircles,
  outsideMentions,
  tooLong,
  uncontrolledWorld,
  undocumented,
} from "./tidy/rules.ts";
import { readSource, type Source } from "./tidy/source.ts";

const ROOT = new URL("../../", import.meta.url);

const FOLDERS = new Set(["commands", "core", "proto", "scripts", "tests"]);
const FILES = new Set(["LICENSE", "README.md", "cfg.yaml", "deno.json", "deno.lock", "main.ts"]);

/** Top-level names that git ignores. */
const IGNORED = new Set(
  Deno.readTextFileSync(new URL(".gitignore", ROOT)).split("\n").map((line) => line.replaceAll("/", "")),
);

function* filesBelow(folder: string): Generator<string> {
  for (const { name, isDirectory } of Deno.readDirSync(new URL(`${folder}/`, ROOT))) {
    const path = `${folder}/${name}`;
    if (isDirectory) yield* filesBelow(path);
    else yield path;
  }
}

function read(path: string): string {
  return Deno.readTextFileSync(new URL(path, ROOT));
}

function exists(path: string): boolean {
  try {
    return Deno.statSync(new URL(path.replace(/^\/+/, ""), ROOT)).isFile;
  } catch {
    return false;
  }
}

const OURS = [...FOLDERS].flatMap((folder) => [...filesBelow(folder)]).concat([...FILES].filter(exists))
  .filter((path) => !/^proto\/(gen|google|grpc)\//.test(path)).sort();
const SOURCES = OURS.filter((path) => path.endsWith(".ts")).map((path) => readSource(path, read(path)));

/** As if the text stood in the project. */
function planted(path: string, text: string): Source {
  return readSource(path, text);
}

function check(what: string, complaints: readonly string[]): void {
  assertEquals(complaints, [], `${what}:\n${complaints.join("\n")}\n`);
}

Deno.test("tidy: imports point downwards", () => {
  check("imports", SOURCES.flatMap(forbiddenImports));
});

Deno.test("tidy: no upward, sideways or outside import is overlooked", () => {
  const complaints = (path: string, text: string) => forbiddenImports(planted(path, text)).length;
  assertEquals(complaints("core/platform/a.ts", 'import { b } from "../ring/b.ts";'), 1);
  assertEquals(complaints("core/storage/a.ts", 'import type { B } from "../cluster/b.ts";'), 1);
  assertEquals(complaints("core/client/a.ts", 'export * from "../cluster/b.ts";'), 1);
  assertEquals(complaints("core/cluster/a.ts", 'const b = await import("../../commands/b.ts");'), 1);
  assertEquals(complaints("core/ring/a.ts", 'export { b } from "../../tests/b.ts";'), 1);
  assertEquals(complaints("core/ring/a.ts", 'import { b } from "../platform/b.ts"; import c from "c";'), 0);
});

Deno.test("tidy: the table of allowed imports has no circle", () => {
  const reached = (from: string, seen: Set<string>): Set<string> => {
    for (const next of ALLOWED[from] ?? []) if (!seen.has(next)) reached(next, seen.add(next));
    return seen;
  };
  for (const folder of Object.keys(ALLOWED)) {
    assertEquals(reached(folder, new Set()).has(folder), false, folder);
  }
});

Deno.test("tidy: every folder of core is in the table of allowed imports", () => {
  const folders = [...Deno.readDirSync(new URL("core/", ROOT))].filter(({ isDirectory }) => isDirectory);
  check(
    "folders of core",
    folders.map(({ name }) => `core/${name}`).filter((folder) => !(folder in ALLOWED)),
  );
});

Deno.test("tidy: no files import each other in a circle", () => {
  check("circles", importCircles(SOURCES));
  const a = planted("core/ring/a.ts", 'import "./b.ts";');
  const b = planted("core/ring/b.ts", 'export * from "./a.ts";');
  assertEquals(importCircles([a, b]), ["core/ring/a.ts -> core/ring/b.ts -> core/ring/a.ts"]);
  assertEquals(importCircles([a, planted("core/ring/b.ts", 'import type { A } from "./a.ts";')]), []);
});

Deno.test(`tidy: files have at most ${FILE_LINES_MAX} lines, functions ${FUNCTION_LINES_MAX}`, () => {
  check("sizes", SOURCES.flatMap(tooLong));
  const body = (lines: number) => `class A {\n  m() {\n${"    a();\n".repeat(lines - 2)}  }\n}\n`;
  assertEquals(tooLong(planted("a.ts", body(FUNCTION_LINES_MAX))), []);
  assertEquals(tooLong(planted("a.ts", body(FUNCTION_LINES_MAX + 1))), ["a.ts:2 m has 71 lines, over 70"]);
  const cases = `function all() {\n${`  it(() => {\n${"    a();\n".repeat(50)}  });\n`.repeat(2)}}\n`;
  assertEquals([tooLong(planted("tests/a.ts", cases)).length, tooLong(planted("core/a.ts", cases)).length], [
    0,
    1,
  ]);
  assertEquals(tooLong(planted("tests/a.ts", body(FUNCTION_LINES_MAX + 1))).length, 1);
  assertEquals(tooLong(planted("a.ts", "a();\n".repeat(FILE_LINES_MAX + 1))).length, 1);
});

Deno.test("tidy: logic meets the world only at the ports", () => {
  check("world", SOURCES.flatMap(uncontrolledWorld));
  const ways = [
    "Date.now();",
    "new Date();",
    "performance.now();",
    "Math.random();",
    "crypto.randomUUID();",
    "setTimeout(f, 1);",
    "const later = setInterval;",
    "globalThis.setTimeout(f, 1);",
    'Deno.readFile("a");',
    'fetch("a");',
    'import { open } from "node:fs";',
    'import process from "node:process";',
  ];
  for (const way of ways) assertEquals(uncontrolledWorld(planted("core/storage/a.ts", way)).length, 1, way);
  for (
    const fine of [
      "new Date(5);",
      "a.setTimeout(1);",
      "clock.after(1, f);",
      'import { crc32 } from "node:zlib";',
    ]
  ) {
    assertEquals(uncontrolledWorld(planted("core/storage/a.ts", fine)), []);
  }
  assertEquals(uncontrolledWorld(planted("core/platform/a.ts", ways.join("\n"))), []);
});

Deno.test("tidy: nothing is typed any", () => {
  check("types", SOURCES.flatMap(anyTypes));
  assertEquals(anyTypes(planted("core/ring/a.ts", "\nlet a: any[];")), ["core/ring/a.ts:2 any is no type"]);
  const ignore = "// deno-lint-ignore no-explicit-any";
  assertEquals(anyTypes(planted("core/ring/a.ts", `${ignore}\nlet a: any;`)).length, 1);
  assertEquals(anyTypes(planted("core/ring/a.ts", `${ignore} -- untyped package\nlet a: any;`)), []);
});

Deno.test("tidy: exported functions and classes of core have docstrings", () => {
  check("docstrings", SOURCES.flatMap(undocumented));
  const text =
    "a();\n/** a */\nexport class A {}\n/* b */\nexport function b() {}\n// c\nexport class C {}\nfunction d() {}\n";
  assertEquals(undocumented(planted("core/ring/a.ts", text)).map((line) => line.split(" ")[1]), ["b", "C"]);
  assertEquals(undocumented(planted("core/ring/a.ts", `/** All about b. */\n\n${text}`)), []);
});

Deno.test("tidy: the top level has only what is agreed", () => {
  const strange = [...Deno.readDirSync(ROOT)].filter(({ name, isDirectory }) =>
    !name.startsWith(".") && !IGNORED.has(name) && !(isDirectory ? FOLDERS : FILES).has(name)
  );
  check("top level", strange.map(({ name }) => name));
});

Deno.test("tidy: all that is mentioned belongs to the project", () => {
  const texts = OURS.filter((path) => !["deno.lock", "tests/unit/tidy_test.ts"].includes(path));
  check("mentions", texts.flatMap((path) => outsideMentions(path, read(path), exists)));
  const complaints = (line: string) =>
    outsideMentions("core/a.ts", line, (path) => path === "core/README.md").length;
  for (const line of ["// see NOTES.md", "// /home/me/kv", "// as issue 7 says"]) {
    assertEquals(complaints(line), 1, line);
  }
  for (const line of ["// see README.md", "// core/README.md", "`${root}/work/a`", "// an issue"]) {
    assertEquals(complaints(line), 0, line);
  }
});
