/** The house's rules, each a function from what was read to the complaints, one line each. */

import type { Found, Source } from "./source.ts";

export const FILE_LINES_MAX = 400;
export const FUNCTION_LINES_MAX = 70;

/**
 * Which folder may import from which: every edge points downwards, from commands to platform. `proto` is the generated
 * code. What is not listed is forbidden.
 */
export const ALLOWED: Readonly<Record<string, readonly string[]>> = {
  "main.ts": ["commands", "core/platform"],
  "commands": [
    "core/cluster",
    "core/client",
    "core/check",
    "core/storage",
    "core/coordination",
    "core/rpc",
    "core/ring",
    "core/platform",
    "proto",
  ],
  "core/cluster": [
    "core/replication",
    "core/storage",
    "core/coordination",
    "core/rpc",
    "core/ring",
    "core/platform",
    "proto",
  ],
  "core/client": ["core/rpc", "core/ring", "core/platform", "proto"],
  "core/check": ["core/platform"],
  "core/replication": [
    "core/storage",
    "core/coordination",
    "core/rpc",
    "core/ring",
    "core/platform",
    "proto",
  ],
  "core/storage": ["core/ring", "core/platform"],
  "core/coordination": ["core/platform"],
  "core/rpc": ["core/platform", "proto"],
  "core/ring": ["core/platform", "proto"],
  "core/platform": [],
  "proto": [],
};

/** Where the real world is let in; all other logic of `core` gets it through the ports. */
const WORLDLY = /^core\/(platform|rpc)\/|^core\/coordination\/zookeeper/;
/** Modules of Node that only compute. */
const PURE_MODULES = new Set(["node:buffer", "node:zlib"]);

/** The key of {@link ALLOWED} that a file belongs to; undefined for tests and scripts. */
export function folderOf(path: string): string | undefined {
  return Object.keys(ALLOWED).find((folder) => path === folder || path.startsWith(`${folder}/`));
}

/** The file that a relative import leads to; undefined for packages. */
export function targetOf(path: string, specifier: string): string | undefined {
  if (!specifier.startsWith(".")) return undefined;
  return new URL(specifier, `file:///${path}`).pathname.slice(1);
}

export function forbiddenImports({ path, imports }: Source): string[] {
  const folder = folderOf(path);
  if (folder === undefined) return [];
  return imports.flatMap(({ specifier, line }) => {
    const target = targetOf(path, specifier);
    if (target === undefined) return [];
    const to = folderOf(target) ?? target;
    if (to === folder || ALLOWED[folder]!.includes(to)) return [];
    return [`${path}:${line} imports ${specifier}: ${folder} may not import from ${to}`];
  });
}

/** Files that import each other in a circle when the program runs. */
export function importCircles(sources: readonly Source[]): string[] {
  const edges = new Map(sources.map(({ path, imports }) => [
    path,
    imports.filter(({ typeOnly }) => !typeOnly).flatMap(({ specifier }) => targetOf(path, specifier) ?? []),
  ]));
  const circles: string[] = [];
  const done = new Set<string>();
  const visit = (path: string, trail: readonly string[]): void => {
    const seenAt = trail.indexOf(path);
    if (seenAt >= 0) {
      circles.push([...trail.slice(seenAt), path].join(" -> "));
      return;
    }
    if (done.has(path)) return;
    for (const next of edges.get(path) ?? []) visit(next, [...trail, path]);
    done.add(path);
  };
  for (const { path } of sources) visit(path, []);
  return circles;
}

export function tooLong(source: Source): string[] {
  const { path, lineCount, functions } = source;
  const complaints = lineCount > FILE_LINES_MAX
    ? [`${path} has ${lineCount} lines, over ${FILE_LINES_MAX}`]
    : [];
  for (const each of functions) {
    const lines = path.startsWith("tests/") ? ownLines(each, functions) : each.lineCount;
    if (lines > FUNCTION_LINES_MAX) {
      complaints.push(`${path}:${each.line} ${each.what} has ${lines} lines, over ${FUNCTION_LINES_MAX}`);
    }
  }
  return complaints;
}

/** Lines outside of inner functions: a function of a test that only lists cases may be long. */
function ownLines(outer: Source["functions"][number], functions: Source["functions"]): number {
  const inside = new Set<number>();
  const endOf = (each: Source["functions"][number]) => each.line + each.lineCount - 1;
  for (const inner of functions) {
    if (inner === outer || inner.line < outer.line || endOf(inner) > endOf(outer)) continue;
    for (let line = inner.line + 1; line < endOf(inner); line++) inside.add(line);
  }
  return outer.lineCount - inside.size;
}

export function uncontrolledWorld({ path, world, imports }: Source): string[] {
  if (!path.startsWith("core/") || WORLDLY.test(path)) return [];
  const modules = imports.filter(({ specifier, typeOnly }) =>
    specifier.startsWith("node:") && !typeOnly && !PURE_MODULES.has(specifier)
  );
  return [
    ...world.map((each) => `${at(path, each)} goes past the ports`),
    ...modules.map(({ specifier, line }) => `${path}:${line} ${specifier} goes past the ports`),
  ];
}

export function anyTypes({ path, anys }: Source): string[] {
  const isOurs = /^(core|commands)\/|^main\.ts$/.test(path) && !path.endsWith(".d.ts");
  return isOurs ? anys.map((each) => `${at(path, each)} is no type`) : [];
}

export function undocumented({ path, undocumented }: Source): string[] {
  return path.startsWith("core/") ? undocumented.map((each) => `${at(path, each)} has no docstring`) : [];
}

/** What means nothing to somebody who has only the project: `exists` says which documents it has. */
export function outsideMentions(path: string, text: string, exists: (path: string) => boolean): string[] {
  const complaints: string[] = [];
  for (const [i, line] of text.split("\n").entries()) {
    const place = `${path}:${i + 1}`;
    const home = /(?<![\w.$}/-])\/(home|root|work|Users)\/[\w.-]+/.exec(line)?.[0];
    if (home !== undefined) complaints.push(`${place} ${home}: a path of one machine`);
    for (const [document] of line.matchAll(/[\w./-]*\w\.md\b/g)) {
      const folder = path.includes("/") ? path.slice(0, path.lastIndexOf("/")) : ".";
      if (!exists(document) && !exists(`${folder}/${document}`)) {
        complaints.push(`${place} ${document}: the project has no such document`);
      }
    }
    const ticket = /\b(issue|ticket)s? #?\d+/i.exec(line)?.[0];
    if (ticket !== undefined) complaints.push(`${place} "${ticket}": say what it is about`);
  }
  return complaints;
}

function at(path: string, { what, line }: Found): string {
  return `${path}:${line} ${what}`;
}
