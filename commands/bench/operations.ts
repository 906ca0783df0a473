/** Operations that print what became of them, in the words of the benches. */

import type { Client } from "../../core/client/api.ts";
import { messageOf } from "../../core/platform/errors.ts";
import { oneLine } from "../print/bytes.ts";

export interface Bench {
  readonly client: Client;
  readonly print: (text: string) => void;
}

/**
 * `get key: os, err: <nil>, val: 100`, after `prefix`. Resolves with what went wrong, if anything; that the key has no
 * value is printed as an error, but is none.
 */
export async function printedGet({ client, print }: Bench, key: string, prefix = ""): Promise<unknown> {
  return await outcome(async () => {
    const found = await client.get(key);
    return found === undefined
      ? { word: "not found", value: "" }
      : { word: "<nil>", value: oneLine(found.value) };
  }, ({ word, value }) => print(`${prefix}get key: ${key}, err: ${word}, val: ${value}\n`));
}

/** `put key: os val: 100 err: <nil>` */
export async function printedPut({ client, print }: Bench, key: string, value: string): Promise<unknown> {
  return await outcome(async () => {
    await client.put(key, value);
    return { word: "<nil>" };
  }, ({ word }) => print(`put key: ${key} val: ${value} err: ${word}\n`));
}

/** `del key: ds err: <nil>` */
export async function printedDelete({ client, print }: Bench, key: string): Promise<unknown> {
  return await outcome(async () => {
    const { outcome } = await client.delete(key);
    return { word: outcome === "not-found" ? "not found" : "<nil>" };
  }, ({ word }) => print(`del key: ${key} err: ${word}\n`));
}

interface Answer {
  /** `<nil>`, or what went wrong. */
  readonly word: string;
  readonly value?: string;
}

async function outcome(run: () => Promise<Answer>, print: (answer: Answer & { value: string }) => void) {
  try {
    print({ value: "", ...await run() });
    return undefined;
  } catch (error) {
    print({ word: messageOf(error), value: "" });
    return error;
  }
}
