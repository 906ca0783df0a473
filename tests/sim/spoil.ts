import type { ReplicateBatch } from "../../proto/gen/kv/v1/cluster.ts";
import { BatchWriter, recordsOf } from "../../core/replication/batch.ts";
import { cluster as methods } from "../../core/rpc/methods.ts";
import { RecordKind } from "../../core/storage/record.ts";
import type { Cluster } from "./cluster.ts";

/**
 * From now on, puts of the value arrive at these machines as puts of another one, with good checksums: as if the
 * follower had applied them wrongly. Nothing but a comparison of copies can show it.
 */
export function spoil(cluster: Cluster, machines: readonly string[], value: string, instead: string): void {
  cluster.spoils = true;
  const before = cluster.network.onMessage;
  cluster.network.onMessage = (sent) => {
    before?.(sent);
    if (sent.path !== methods.replicate.path || sent.reply || !machines.includes(sent.to)) return;
    const batch = sent.message as ReplicateBatch;
    batch.records = spoiled(batch.records, value, instead);
  };
}

function spoiled(records: Uint8Array, value: string, instead: string): Uint8Array {
  const writer = new BatchWriter(1);
  for (const record of recordsOf(records)) {
    const hit = record.kind === RecordKind.Put && new TextDecoder().decode(record.value) === value;
    writer.add(hit ? { ...record, value: new TextEncoder().encode(instead) } : record);
  }
  return writer.take();
}
