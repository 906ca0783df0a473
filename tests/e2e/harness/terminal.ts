import { eventually } from "./eventually.ts";
import { kvProgram } from "./process.ts";

/** What a person does at the terminal: waits until something has appeared since the last step, then types. */
export interface Typing {
  readonly after: string;
  readonly type: string;
}

/**
 * Runs the shell at a terminal (util-linux's `script` makes one) and returns what it showed, without escape sequences.
 * The last step has to make it leave.
 */
export async function shellAtTerminal(
  addr: string,
  stateFolder: string,
  steps: readonly Typing[],
): Promise<string> {
  const child = new Deno.Command("script", {
    args: ["-qec", '"$KV" shell --addr "$ADDR"', "/dev/null"],
    // A dumb terminal, as those who run tests may have, has no arrow keys.
    env: { KV: kvProgram, ADDR: addr, XDG_STATE_HOME: stateFolder, TERM: "xterm" },
    stdin: "piped",
    stdout: "piped",
    stderr: "inherit",
  }).spawn();
  let shown = "";
  let ended = false;
  child.status.then(() => ended = true);
  const reading = (async () => {
    for await (const text of child.stdout.pipeThrough(new TextDecoderStream())) shown += text;
  })();
  const keyboard = child.stdin.getWriter();
  try {
    let seen = 0;
    for (const { after, type } of steps) {
      await eventually(
        `"${after}" on the terminal, which shows:\n${shown}`,
        () => shown.includes(after, seen) || undefined,
      );
      seen = shown.indexOf(after, seen) + after.length;
      await keyboard.write(new TextEncoder().encode(type));
    }
    await reading;
  } catch (error) {
    if (!ended) child.kill("SIGKILL");
    throw error;
  } finally {
    await keyboard.close().catch(() => {});
    await Promise.all([child.status, reading]);
  }
  // deno-lint-ignore no-control-regex
  return shown.replaceAll(/\x1b\[[0-9;]*[A-Za-z]|\r/g, "");
}
