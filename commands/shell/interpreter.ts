/** One line of the shell: what it asks for, done, and the answer printed. */

import type { Client } from "../../core/client/api.ts";
import { didYouMean } from "../../core/platform/suggest.ts";
import { UsageError } from "../framework/command.ts";
import { oneLine } from "../print/bytes.ts";
import { dump } from "../print/dump.ts";
import { outcomeText } from "../print/outcome.ts";
import { splitWords } from "./words.ts";

export const OPENING = `This is a distributed key value system.
Supported operations include get, put, del, dump(only for debugging).
`;
export const PROMPT = "kv@ds$ ";

interface Operation {
  readonly form: string;
  readonly about: string;
  run(client: Client, args: readonly Uint8Array[], print: (text: string) => void): Promise<void>;
}

const OPERATIONS: ReadonlyMap<string, Operation> = new Map<string, Operation>([
  ["get", {
    form: "get KEY",
    about: "print the value of a key",
    run: async (client, [key], print) => {
      const found = await client.get(key!);
      print((found === undefined ? "not found" : oneLine(found.value)) + "\n");
    },
  }],
  ["put", {
    form: "put KEY VALUE",
    about: "give a key a value",
    run: async (client, [key, value], print) => print(outcomeText(await client.put(key!, value!)) + "\n"),
  }],
  ["del", {
    form: "del KEY",
    about: "delete a key",
    run: async (client, [key], print) => print(outcomeText(await client.delete(key!)) + "\n"),
  }],
  ["dump", {
    form: "dump",
    about: "print all keys, server by server (only for debugging)",
    run: async (client, _args, print) => await dump(client, print),
  }],
  ["help", {
    form: "help",
    about: "print this",
    run: (_client, _args, print) => Promise.resolve(print(helpText())),
  }],
  ["exit", { form: "exit", about: "leave, as Ctrl-D does", run: () => Promise.resolve() }],
]);

/**
 * Does what the line asks for; an empty line asks for nothing. Resolves with whether the shell goes on. Rejects with
 * {@link UsageError} for a line that makes no sense, and with what the client says.
 */
export async function interpret(
  client: Client,
  line: string,
  print: (text: string) => void,
): Promise<boolean> {
  const [first, ...args] = splitWords(line);
  if (first === undefined) return true;
  const name = oneLine(first);
  const operation = OPERATIONS.get(name);
  if (operation === undefined) {
    throw new UsageError(
      `unknown operation "${name}"${didYouMean(name, OPERATIONS.keys())} (help lists all)`,
    );
  }
  if (args.length !== operation.form.split(" ").length - 1) {
    const quotes = args.length > 0 ? ' (what has blanks is quoted: put "my key" "a value")' : "";
    throw new UsageError(`the form is: ${operation.form}${quotes}`);
  }
  await operation.run(client, args, print);
  return name !== "exit";
}

function helpText(): string {
  const lines = [...OPERATIONS.values()].map(({ form, about }) => `  ${form.padEnd(14)}  ${about}\n`);
  return `${
    lines.join("")
  }Quote keys and values that have blanks: put "my key" 'a value'. Within double quotes there are the
escapes \\n \\t \\r \\" \\' \\\\ and \\xHH (a byte).
`;
}
