/** The dump in the form of the shell. */

import type { Client, DumpedEntry, NodeDump } from "../../core/client/api.ts";
import { jsonField } from "../../core/platform/json_bytes.ts";
import { fnv1a32 } from "../../core/ring/hash.ts";
import { fileIndex } from "../../core/ring/primes.ts";
import { oneLine } from "./bytes.ts";

/**
 * Calls `print` with the text of all nodes: in the order of their labels, the keys of each in the order of its files
 * (`h mod 3 / h mod 5 ...`) and by their bytes within one. When a node does not answer, the others are printed before
 * the error is thrown.
 */
export async function dump(client: Client, print: (text: string) => void): Promise<void> {
  await forEachNode(client, (node) => print(nodeText(node)));
}

/** As {@link dump}, one JSON document for each node. */
export async function dumpJson(client: Client, print: (document: unknown) => void): Promise<void> {
  await forEachNode(client, ({ node, entries }) => {
    const shown = entries.map(({ key, value, version, slot }) => ({
      ...jsonField("key", key),
      ...jsonField("value", value),
      version,
      slot,
    }));
    print({ address: node.address, label: node.label, entries: shown });
  });
}

/** A node with its keys, each line ended, and an empty line after them. */
export function nodeText({ node, entries }: NodeDump): string {
  const lines = entries.map(({ key, value, slot }) =>
    `    key: ${oneLine(key)} value: ${oneLine(value)} label: ${slot}\n`
  );
  return `-------Data server ${node.address} with label ${node.label}-------\n${lines.join("")}\n`;
}

async function forEachNode(client: Client, visit: (node: NodeDump) => void): Promise<void> {
  const { settings } = await client.ring();
  const nodes = new Map<string, NodeDump>();
  let failure: { readonly error: unknown } | undefined;
  try {
    for await (const { node, entries } of client.dump()) {
      // A node comes again when slots moved to it meanwhile.
      const before = nodes.get(node.ref.id)?.entries ?? [];
      nodes.set(node.ref.id, { node, entries: [...before, ...entries] });
    }
  } catch (error) {
    failure = { error };
  }
  const byLabel = [...nodes.values()].sort((a, b) => a.node.label - b.node.label);
  for (const { node, entries } of byLabel) visit({ node, entries: inFileOrder(entries, settings.levels) });
  if (failure !== undefined) throw failure.error;
}

/** A new array: by the file that a key lies in on its node, then by the key's bytes. */
export function inFileOrder(entries: readonly DumpedEntry[], levels: number): DumpedEntry[] {
  const placed = entries.map((entry) => ({ entry, file: fileIndex(fnv1a32(entry.key), levels) }));
  placed.sort((a, b) => a.file - b.file || compareBytes(a.entry.key, b.entry.key));
  return placed.map(({ entry }) => entry);
}

function compareBytes(a: Uint8Array, b: Uint8Array): number {
  const shared = Math.min(a.length, b.length);
  for (let i = 0; i < shared; i++) {
    if (a[i] !== b[i]) return a[i]! - b[i]!;
  }
  return a.length - b.length;
}
