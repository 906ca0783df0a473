/**
 * The few functions of the standard library's `fs` that are used here, over Deno's own calls: the npm edition of the
 * library has no `fs`. With `jsr:@std/fs` in deno.json this file is not needed.
 */

/** Creates the folder and its parents where they are missing. */
export function ensureDirSync(path: string): void {
  Deno.mkdirSync(path, { recursive: true });
}

/** Whether anything stands at the path. */
export function existsSync(path: string): boolean {
  try {
    Deno.lstatSync(path);
    return true;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}
