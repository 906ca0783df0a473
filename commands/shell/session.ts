/** A run of the shell: at a terminal with prompt and history, or over lines that come from a pipe. */

import { createInterface, type Interface } from "node:readline";
import process from "node:process";
import type { Client } from "../../core/client/api.ts";
import { messageOf } from "../../core/platform/errors.ts";
import { utf8 } from "../../core/platform/json_bytes.ts";
import { UsageError } from "../framework/command.ts";
import { ExitCode, exitCodeOf } from "../framework/exit_code.ts";
import { type Io, linesOf } from "../framework/io.ts";
import { History, historyPath } from "./history.ts";
import { interpret, OPENING, PROMPT } from "./interpreter.ts";

/** Runs to the end of the input or to `exit`; the exit code. */
export function runShell(client: Client, io: Io): Promise<number> {
  return io.stdinIsTerminal ? atTerminal(client, io) : fromPipe(client, io);
}

/** No prompts. Goes on after an error; the exit code is that of the first one. */
async function fromPipe(client: Client, io: Io): Promise<number> {
  let code: number = ExitCode.done;
  let number = 0;
  for await (const line of linesOf(io.stdin())) {
    number++;
    try {
      if (!await interpret(client, textOf(line, number), (text) => io.out(text))) break;
    } catch (error) {
      io.err(messageOf(error));
      if (code === ExitCode.done) code = exitCodeOf(error);
    }
  }
  return code;
}

/** Bytes that are no text would be stored as something else. */
function textOf(line: Uint8Array, number: number): string {
  const text = utf8(line);
  if (text !== undefined) return text;
  throw new UsageError(
    `line ${number} is not UTF-8: nothing was done for it. Write other bytes as \\xHH within double quotes, ` +
      "or use kv put KEY - < FILE",
  );
}

async function atTerminal(client: Client, io: Io): Promise<number> {
  const history = new History(historyPath((name) => Deno.env.get(name)));
  const readline = openReadline(history);
  // Ctrl-D prints nothing: what comes next begins a line of its own.
  const endLine = () => io.out("\n");
  readline.on("close", endLine);
  io.out(OPENING);
  readline.prompt();
  for await (const line of readline) {
    history.append(line);
    try {
      if (!await interpret(client, line, (text) => io.out(text))) break;
    } catch (error) {
      io.err(messageOf(error));
    }
    readline.prompt();
  }
  readline.off("close", endLine);
  readline.close();
  return ExitCode.done;
}

function openReadline(history: History): Interface {
  const readline = createInterface({
    input: process.stdin,
    output: process.stdout,
    terminal: true,
    prompt: PROMPT,
    history: history.load().reverse(),
    historySize: 1000,
  });
  readline.on("SIGINT", () => {
    // As in other shells: drops the line, does not leave.
    readline.write(null, { ctrl: true, name: "e" });
    readline.write(null, { ctrl: true, name: "u" });
    process.stdout.write("^C (exit or Ctrl-D leaves)\n");
    readline.prompt();
  });
  return readline;
}
