import { KvError } from "../platform/errors.ts";
import { type Cancel, type Disk, DiskError, type Random } from "../platform/ports.ts";
import type { ClusterSettings } from "../ring/ring.ts";
import { crc32 } from "./crc.ts";
import { readWhole, replaceFileNow } from "./replace_file.ts";

const NAME = "identity.json";
const FORMAT = 1;

/** Whose folder it is. Kept as JSON, with a checksum over the rest. */
export interface Identity {
  readonly nodeId: string;
  /** Undefined until the node has joined a cluster. */
  readonly clusterId: string | undefined;
  readonly settings: ClusterSettings;
  /** Number of the process start on the folder; rises with each. */
  readonly incarnation: number;
  /** Known to this folder alone; see `placeSeed`. */
  readonly salt: number;
}

/** Takes the folder for this process; throws KvError refused when another one has it. */
export function lockFolder(disk: Disk, folder: string): Cancel {
  try {
    return disk.lock(`${folder}/lock`);
  } catch (error) {
    if (!(error instanceof DiskError && error.fault === "locked")) throw error;
    throw new KvError(
      "refused",
      `the folder ${folder} is in use by another process; stop that one, or name another folder`,
      {},
      { cause: error },
    );
  }
}

/** The identity of a folder to be made; its incarnation is 0 until the first start has been written. */
export function newIdentity(
  random: Random,
  clusterId: string | undefined,
  settings: ClusterSettings,
): Identity {
  return { nodeId: random.uuid(), clusterId, settings, incarnation: 0, salt: random.below(2 ** 32) };
}

/** The folder's identity; undefined when it has none. Throws KvError damaged when it cannot be read. */
export function readIdentity(disk: Disk, folder: string): Identity | undefined {
  const content = readWhole(disk, `${folder}/${NAME}`);
  if (content === undefined) return undefined;
  try {
    const saved = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(content));
    const { checksum, ...rest } = saved;
    if (checksum !== checksumOf(rest)) throw new Error("its checksum does not match");
    if (rest.format !== FORMAT) throw new Error(`its format is ${rest.format}, this program reads ${FORMAT}`);
    const { nodeId, clusterId, settings, incarnation, salt } = rest;
    return { nodeId, clusterId: clusterId ?? undefined, settings, incarnation, salt };
  } catch (error) {
    throw new KvError(
      "damaged",
      `the identity of the folder cannot be read (${folder}/${NAME}: ${(error as Error).message}); ` +
        "restore the file from a copy, or start with an empty folder",
      {},
      { cause: error },
    );
  }
}

/** Replaces the folder's identity, durably. Throws DiskError. */
export function writeIdentity(disk: Disk, folder: string, identity: Identity): void {
  const { nodeId, clusterId, settings, incarnation, salt } = identity;
  const rest = { format: FORMAT, nodeId, clusterId: clusterId ?? null, settings, incarnation, salt };
  const text = JSON.stringify({ ...rest, checksum: checksumOf(rest) }, undefined, 2) + "\n";
  replaceFileNow(disk, folder, NAME, new TextEncoder().encode(text));
}

/** Throws KvError refused when the folder belongs to another cluster or was made with other settings. */
export function checkIdentity(
  identity: Identity,
  folder: string,
  clusterId: string | undefined,
  settings: ClusterSettings,
): void {
  if (clusterId !== undefined && identity.clusterId !== undefined && clusterId !== identity.clusterId) {
    throw new KvError(
      "refused",
      `the folder ${folder} belongs to cluster ${identity.clusterId}, this is cluster ${clusterId}; ` +
        "name the folder of a node of this cluster, or an empty one",
    );
  }
  for (const name of ["msn", "hash", "levels"] as const) {
    if (identity.settings[name] === settings[name]) continue;
    throw new KvError(
      "refused",
      `the folder ${folder} was made with ${name} ${identity.settings[name]}, now ${name} is ${
        settings[name]
      }; ` +
        `it can never change: set ${name} to ${identity.settings[name]}, or name an empty folder`,
    );
  }
}

function checksumOf(rest: unknown): number {
  return crc32(new TextEncoder().encode(JSON.stringify(rest)));
}
