/** kv: a distributed key-value store. `kv help` lists the commands, one file each in `commands/`. */

import { messageOf } from "./core/platform/errors.ts";
import { ExitCode } from "./commands/framework/exit_code.ts";
import { systemIo } from "./commands/framework/io.ts";

/**
 * Only here are libraries asked for, which Deno fetches when it has not got them: what goes wrong with that would
 * otherwise end in Deno's own exit code 1, which says "not found" here.
 */
async function load() {
  try {
    return await import("./commands/framework/program.ts");
  } catch (error) {
    systemIo().err(
      `kv: cannot be loaded: ${messageOf(error)}\n` +
        "(the first start fetches the libraries of deno.lock from npm's registry: is the network there?)",
    );
    Deno.exit(ExitCode.other);
  }
}

if (import.meta.main) {
  const io = systemIo();
  // A bug, and nobody knows what state it leaves: stop, but not with a code that means something else.
  addEventListener("unhandledrejection", (event) => {
    io.err(
      `kv: internal error: ${event.reason instanceof Error ? event.reason.stack : messageOf(event.reason)}`,
    );
    Deno.exit(ExitCode.other);
  });
  addEventListener("error", (event) => {
    io.err(`kv: internal error: ${event.error instanceof Error ? event.error.stack : event.message}`);
    Deno.exit(ExitCode.other);
  });
  const { program } = await load();
  // The exit ends connections too: closing them one by one gains nothing.
  Deno.exit(await program(Deno.args, io));
}
