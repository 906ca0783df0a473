/** What the tests of `kv admin` share. */

import { COPY, FakeClient, kv } from "./commands_fake.ts";
import { Told } from "./insight_world.ts";

export function clientOf(told: Told): FakeClient {
  const client = new FakeClient();
  client.ringChanges = told.ring;
  client.servers = told.servers;
  return client;
}

export async function run(client: FakeClient, ...words: string[]) {
  const { code, stdout, stderr } = await kv(client, words);
  return [code, stdout, stderr];
}

export const FORCE = ["admin", "force-owner", "label:68", "s:1", "--accept-data-loss"];

/** Data node b is lost; the standby, which was not in sync, gets served what is forced on it. */
export function lonely(): [Told, FakeClient] {
  const told = new Told();
  told.change((entry) => ({ ...entry, isr: [entry.owner!] }));
  told.kill("b");
  const client = clientOf(told);
  client.onAsked = () => {
    const change = told.ring.slots.map((entry) => entry.owner?.id === "b" ? { ...entry, lineage: 2 } : entry);
    client.ringChanges = { ...told.ring, slots: change };
    const report = { lineage: 2, lastEpoch: 3, lastLsn: 40, keysKept: 2, keysLost: 1, unusable: "" };
    const salvaged = { ...report, lost: [new TextEncoder().encode("a key")] };
    client.copyOf = (slot) => ({ ...COPY, slot, serving: true, salvaged });
  };
  return [told, client];
}

/** Runs with all waits over at once. */
export async function hasty<T>(work: () => Promise<T>): Promise<T> {
  const { setTimeout } = globalThis;
  globalThis.setTimeout = ((done: () => void) => setTimeout(done, 0)) as typeof setTimeout;
  try {
    return await work();
  } finally {
    globalThis.setTimeout = setTimeout;
  }
}
