import { explainKey, type Explanation } from "../core/client/insight/explain.ts";
import type { Versioned } from "../core/client/api.ts";
import { NO_LABEL } from "../core/ring/owners.ts";
import { clientFlags, type Command, outputFlag } from "./framework/command.ts";
import { ExitCode } from "./framework/exit_code.ts";
import { jsonLine } from "./framework/io.ts";
import { oneLine } from "./print/bytes.ts";

export const command: Command = {
  usage: "explain KEY [flags]",
  description:
    `Tells where a key lies: its hash, its slot, the owner with its label, the copies and whether they are in sync, the
epoch, the file in the owner's folder, and the version of its value. With json: {"key", "hash", "slot", "owner", "label",
"epoch", "copies", "movesTo", "file", "version", "ringVersion"}; what does not apply is null. Exits with 0 whether or not
the key has a value, with 3 when its owner does not tell.`,
  examples: ["kv explain a", "kv explain a --output json"],
  arity: [1, 1],
  flags: [...clientFlags, outputFlag],
  async run({ io, args, flags, connect }) {
    const key = args[0]!;
    const client = await connect();
    const bytes = new TextEncoder().encode(key);
    const ring = await client.ring();
    // The ring may still change while the key is read: what is printed belongs to the ring that is named.
    const [read] = await Promise.allSettled([client.get(key)]);
    const found = read.status === "fulfilled" ? read.value : undefined;
    const explanation = explainKey(ring, bytes);
    if (flags.required("output") === "json") io.out(jsonLine(explanationJson(key, explanation, found)));
    else io.out(explanationText(bytes, explanation, found, read.status === "fulfilled"));
    if (read.status === "rejected") throw read.reason;
    return ExitCode.done;
  },
};

function explanationText(
  key: Uint8Array,
  { hash, slot, owner, epoch, copies, movesTo, file, ringVersion }: Explanation,
  found: Versioned | undefined,
  wasRead: boolean,
): string {
  const seat = owner === undefined || owner.label === NO_LABEL ? "none" : `${owner.label}`;
  const copyTexts = copies.map(({ name, inSync }) => `  ${name}: ${inSync ? "in sync" : "not in sync"}\n`);
  const version = found !== undefined ? `${found.version}` : wasRead ? "not found" : "unknown";
  return `key ${oneLine(key)}
hash ${hash}
slot ${slot}
label ${seat}
owner ${owner === undefined ? "none" : owner.address}
epoch ${epoch}
file ${file}
version ${version}
ring ${ringVersion}
copies:
${copyTexts.join("")}${
    movesTo === undefined ? "" : `moves to ${movesTo.address} (label ${movesTo.label})\n`
  }`;
}

function explanationJson(key: string, explanation: Explanation, found: Versioned | undefined): unknown {
  const { hash, slot, owner, epoch, copies, movesTo, file, ringVersion } = explanation;
  return {
    ...{ key, hash, slot },
    owner: owner?.address ?? null,
    label: owner === undefined || owner.label === NO_LABEL ? null : owner.label,
    epoch,
    copies: copies.map(({ ref, name, inSync }) => ({ node: ref, name, inSync })),
    movesTo: movesTo?.address ?? null,
    file,
    version: found?.version ?? null,
    ringVersion,
  };
}
