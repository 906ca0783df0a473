/** What the house's rules want to know of a source file, read from its syntax tree. */

export interface Import {
  readonly specifier: string;
  readonly line: number;
  /** Gone when the program runs. */
  readonly typeOnly: boolean;
}

/** Something at a place. */
export interface Found {
  readonly what: string;
  readonly line: number;
}

export interface Source {
  /** Relative to the project, such as "core/ring/ring.ts". */
  readonly path: string;
  /** Of a file that ends with a newline. */
  readonly lineCount: number;
  readonly imports: readonly Import[];
  readonly functions: readonly (Found & { readonly lineCount: number })[];
  /** Uses of clock, timers, randomness, files, network or process that go past the ports. */
  readonly world: readonly Found[];
  /** The type `any`, but where the line before gives the reason to the linter. */
  readonly anys: readonly Found[];
  /** Exported functions and classes without a docstring, in files that do not begin with one either. */
  readonly undocumented: readonly Found[];
}

const WORLD_OBJECTS = new Set(["Deno", "process", "performance", "crypto", "globalThis"]);
const WORLD_MEMBERS = new Set(["Date.now", "Math.random"]);
const WORLD_FUNCTIONS = new Set(["setTimeout", "setInterval", "setImmediate", "fetch"]);

/** Parses `text`; works in tests only, because it borrows the linter's parser. */
export function readSource(path: string, text: string): Source {
  const lineAt = lineFinder(text);
  const lines = text.split("\n");
  const at = (what: string, node: Deno.lint.Node): Found => ({ what, line: lineAt(node.range[0]) });
  const found = { imports: [] as Import[], functions: [] as Source["functions"][number][] };
  const marks = { world: [] as Found[], anys: [] as Found[], undocumented: [] as Found[] };

  const addImport = (source: Deno.lint.Expression | null, typeOnly: boolean) => {
    if (source?.type !== "Literal" || typeof source.value !== "string") return;
    found.imports.push({ specifier: source.value, line: lineAt(source.range[0]), typeOnly });
  };
  const addFunction = (node: Deno.lint.Node) => {
    const [start, end] = node.range.map(lineAt) as [number, number];
    found.functions.push({ what: nameOf(node), line: start, lineCount: end - start + 1 });
  };
  const addExport = (node: Deno.lint.ExportNamedDeclaration) => {
    const declared = node.declaration;
    if (declared?.type !== "FunctionDeclaration" && declared?.type !== "ClassDeclaration") return;
    const documented = hasDocstring(text, node.range[0]) || text.startsWith("/**");
    if (!documented) marks.undocumented.push(at(declared.id?.name ?? "default", node));
  };
  const addMember = (node: Deno.lint.MemberExpression) => {
    if (node.object.type !== "Identifier" || node.property.type !== "Identifier") return;
    const name = `${node.object.name}.${node.property.name}`;
    if (WORLD_OBJECTS.has(node.object.name) || WORLD_MEMBERS.has(name)) marks.world.push(at(name, node));
  };

  parse(path, text, {
    ImportDeclaration: (node) => addImport(node.source, node.importKind === "type"),
    ExportNamedDeclaration: (node) => {
      addImport(node.source ?? null, node.exportKind === "type");
      addExport(node);
    },
    ExportAllDeclaration: (node) => addImport(node.source, node.exportKind === "type"),
    ImportExpression: (node) => addImport(node.source, false),
    FunctionDeclaration: addFunction,
    FunctionExpression: addFunction,
    ArrowFunctionExpression: addFunction,
    MemberExpression: addMember,
    Identifier: (node) => {
      if (WORLD_FUNCTIONS.has(node.name) && isUse(node)) marks.world.push(at(node.name, node));
    },
    NewExpression: (node) => {
      const isNow = node.callee.type === "Identifier" && node.callee.name === "Date" &&
        node.arguments.length === 0;
      if (isNow) marks.world.push(at("new Date()", node));
    },
    TSAnyKeyword: (node) => {
      const found = at("any", node);
      if (!/deno-lint-ignore no-explicit-any -- ./.test(lines[found.line - 2] ?? "")) marks.anys.push(found);
    },
  });
  return { path, lineCount: lines.length - 1, ...found, ...marks };
}

function parse(path: string, text: string, visitor: Deno.lint.LintVisitor): void {
  const plugin: Deno.lint.Plugin = { name: "tidy", rules: { read: { create: () => visitor } } };
  Deno.lint.runPlugin(plugin, path, text);
}

function lineFinder(text: string): (offset: number) => number {
  const starts = [0];
  for (let i = text.indexOf("\n"); i >= 0; i = text.indexOf("\n", i + 1)) starts.push(i + 1);
  return (offset) => starts.findLastIndex((start) => start <= offset) + 1;
}

/** The name of a function, or of what it is given to. */
function nameOf(node: Deno.lint.Node): string {
  const named = [node, "parent" in node ? node.parent : undefined];
  for (const each of named) {
    for (const part of ["id", "key"] as const) {
      const name = each && part in each
        ? (each as unknown as Record<string, { name?: string } | null>)[part]?.name
        : "";
      if (name) return name;
    }
  }
  return "a function";
}

/** Not the name of a property or parameter, but the global itself. */
function isUse(node: Deno.lint.Identifier): boolean {
  const parent: Deno.lint.Node = node.parent;
  if (parent.type === "MemberExpression") return parent.object.range[0] === node.range[0];
  return parent.type === "CallExpression" || parent.type === "VariableDeclarator";
}

function hasDocstring(text: string, offset: number): boolean {
  const before = text.slice(0, offset).trimEnd();
  return before.endsWith("*/") && before.slice(before.lastIndexOf("/*")).startsWith("/**");
}
