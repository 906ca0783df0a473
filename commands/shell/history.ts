/** The lines typed in earlier runs of the shell. Losing them is no error: a shell without a home works too. */

const LINES_MAX = 1000;

/** `$XDG_STATE_HOME/kv/history`, else `~/.local/state/kv/history`; undefined without a home. */
export function historyPath(env: (name: string) => string | undefined): string | undefined {
  const state = env("XDG_STATE_HOME");
  if (state) return `${state}/kv/history`;
  const home = env("HOME");
  return home ? `${home}/.local/state/kv/history` : undefined;
}

export class History {
  /** `path` undefined: nothing is kept. */
  constructor(private readonly path: string | undefined) {}

  /** The last lines, the oldest first. Shortens a file that has grown to twice of what is kept. */
  load(): string[] {
    return this.#quietly((path) => {
      const all = Deno.readTextFileSync(path).split("\n").filter((line) => line !== "");
      const kept = all.slice(-LINES_MAX);
      if (all.length > 2 * LINES_MAX) Deno.writeTextFileSync(path, kept.join("\n") + "\n");
      return kept;
    }) ?? [];
  }

  /** At once, so that a killed shell and two shells side by side keep theirs. Only the user may read the file. */
  append(line: string): void {
    if (line.trim() === "") return;
    this.#quietly((path) => {
      Deno.mkdirSync(path.slice(0, path.lastIndexOf("/")), { recursive: true });
      Deno.writeTextFileSync(path, line + "\n", { append: true, mode: 0o600 });
    });
  }

  #quietly<T>(use: (path: string) => T): T | undefined {
    if (this.path === undefined) return undefined;
    try {
      return use(this.path);
    } catch {
      return undefined;
    }
  }
}
