/** kv: a distributed key-value store. `kv help` lists the commands, one file each in `commands/`. */

import { messageOf } from "./core/platform/errors.ts";
import { ExitCode } from "./commands/framework/exit_code.ts";
import { systemIo } from "./commands/framework/io.ts";
import { program } from "./commands/framework/program.ts";

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
  // The exit ends connections too: closing them one by one gains nothing.
  Deno.exit(await program(Deno.args, io));
}
